"""GenICam through harvesters, with the producer that the genicam wheel ships: three devices, 20 frames a second."""

import os
import signal
from collections.abc import Callable, Iterator
from importlib import import_module
from multiprocessing import active_children
from time import monotonic
from typing import Any

import numpy as np
import pytest
from tests.hardware.camera.cameras import producer, wait_for

from andon.hardware.camera.process import ProcessCamera
from andon.hardware.camera.reopening import ReopeningCamera
from andon.models.types.camera import (
    CameraLostError,
    CameraSettingError,
    CameraSettings,
    SettingValue,
    TriggerSource,
)

CYCLES = 50 if os.environ.get("ANDON_SOAK") else 2


def viky(**selector: str) -> ProcessCamera:
    path = producer()
    opened: ProcessCamera = import_module("andon.hardware.camera.genicam").open_genicam(producer=path, **selector)
    return opened


def test_the_serial_number_chooses_the_device() -> None:
    with viky(serial="1") as green, viky(serial="2") as blue:
        means = [camera.grab(2.0).frame.mean(axis=(0, 1)) for camera in (green, blue)]
    assert not np.allclose(*means)


@pytest.mark.parametrize(
    ("selector", "code"),
    [({"model": "Viky"}, "camera.ambiguous"), ({}, "camera.ambiguous"), ({"serial": "9"}, "camera.not_found")],
)
def test_one_device_must_fit_and_those_that_are_there_are_named(selector: dict[str, str], code: str) -> None:
    with pytest.raises(CameraLostError) as caught, viky(**selector):
        pass
    assert caught.value.code == code
    assert "serial 2" in str(caught.value.params["found"])


def test_a_producer_that_is_not_there_is_named() -> None:
    producer()
    opened = import_module("andon.hardware.camera.genicam").open_genicam
    with pytest.raises(CameraLostError) as caught, opened(producer="/none.cti", serial="1"):
        pass
    assert (caught.value.code, caught.value.subject) == ("camera.producer", "/none.cti")


def test_settings_are_read_back_and_hold() -> None:
    with viky(serial="1") as camera:
        camera.apply(CameraSettings(width_px=320, height_px=240, features={"PixelFormat": "Mono8"}))
        assert camera.grab(2.0).frame.shape == (240, 320, 3)


@pytest.mark.parametrize(
    ("settings", "code", "feature"),
    [
        (CameraSettings(exposure_us=100.0), "camera.feature_unknown", "ExposureTime"),
        (CameraSettings(width_px=99), "camera.setting_refused", "Width"),
        (CameraSettings(features={"PixelFormat": "YUV"}), "camera.setting_refused", "PixelFormat"),
        (CameraSettings(features={"AcquisitionFrameRate": 20.5}), "camera.setting_differs", "AcquisitionFrameRate"),
        (CameraSettings(trigger=TriggerSource.HARDWARE), "camera.no_trigger", "TriggerMode"),
    ],
)
def test_a_setting_that_does_not_hold_is_named(settings: CameraSettings, code: str, feature: str) -> None:
    with viky(serial="1") as camera:
        with pytest.raises(CameraSettingError) as caught:
            camera.apply(settings)
        assert (caught.value.code, caught.value.params["feature"]) == (code, feature)
        assert camera.grab(2.0).is_complete


def test_a_driver_that_hangs_is_ended_and_opened_anew() -> None:
    with viky(serial="1") as camera:
        camera.grab(2.0)
        os.kill(driver(), signal.SIGSTOP)
        began = monotonic()
        with pytest.raises(CameraLostError) as caught:
            camera.check()
        assert monotonic() - began < 2.0
        assert caught.value.code == "camera.hung"
    with viky(serial="1") as camera:
        assert camera.grab(2.0).is_complete


def driver() -> int:
    """The process of the only camera that is open."""
    (process,) = active_children()
    assert process.pid
    return process.pid


@pytest.mark.soak
def test_a_driver_that_dies_comes_back(record_property: Callable[[str, object], None]) -> None:
    seen, back = [], []
    with ReopeningCamera(lambda: viky(serial="1"), "S1") as camera:
        camera.apply(CameraSettings(width_px=320))
        for _ in range(CYCLES):
            began = monotonic()
            os.kill(driver(), signal.SIGKILL)
            wait_for(lambda: camera.lost is not None)
            seen.append(monotonic() - began)
            wait_for(lambda: camera.lost is None)
            back.append(monotonic() - began)
            assert camera.grab(2.0).frame.shape[1] == 320
    assert max(seen) <= 2.0
    assert max(back) <= 5.0
    record_property("seen_s", max(seen))
    record_property("back_s", max(back))


XML = """<?xml version="1.0" encoding="utf-8"?>
<RegisterDescription ModelName="T" VendorName="A" StandardNameSpace="None" SchemaMajorVersion="1" SchemaMinorVersion="1"
 SchemaSubMinorVersion="0" MajorVersion="1" MinorVersion="0" SubMinorVersion="0" ToolTip=""
 ProductGuid="1F3C6A72-7842-4edd-9130-E2E90A2058BA" VersionGuid="1F3C6A72-7842-4edd-9130-E2E90A2058BB"
 xmlns="http://www.genicam.org/GenApi/Version_1_1">
 <Category Name="Root"><pFeature>Width</pFeature></Category>
 <Integer Name="Width"><pValue>WidthReg</pValue><Min>16</Min><Max>640</Max><Inc>8</Inc></Integer>
 <IntReg Name="WidthReg"><Address>0</Address><Length>4</Length><AccessMode>RW</AccessMode><pPort>Device</pPort>
  <Sign>Unsigned</Sign><Endianess>LittleEndian</Endianess></IntReg>
 <Float Name="ExposureTime"><Value>1000</Value><Min>10</Min><Max>10000</Max></Float>
 {auto}{mode}
 <Enumeration Name="TriggerSource">{software}{line}<Value>0</Value></Enumeration>
 <Command Name="TriggerSoftware"><pValue>FireReg</pValue><CommandValue>1</CommandValue></Command>
 <IntReg Name="FireReg"><Address>8</Address><Length>4</Length><AccessMode>RW</AccessMode><pPort>Device</pPort>
  <Sign>Unsigned</Sign><Endianess>LittleEndian</Endianess></IntReg>
 <Port Name="Device"></Port>
</RegisterDescription>"""


def entry(name: str, value: int) -> str:
    return f'<EnumEntry Name="{name}"><Value>{value}</Value></EnumEntry>'


def switch(name: str, *entries: str, value: int) -> str:
    inner = "".join(entry(each, number) for number, each in enumerate(entries))
    return f'<Enumeration Name="{name}">{inner}<Value>{value}</Value></Enumeration>'


@pytest.fixture
def memory() -> bytearray:
    """The registers of a camera that can be triggered."""
    return bytearray((64).to_bytes(4, "little") + bytes(12))


@pytest.fixture
def nodes(memory: bytearray) -> Iterator[Any]:
    producer()
    genapi = import_module("genicam.genapi")

    class Port(genapi.AbstractPort):  # type: ignore[misc, name-defined]
        def read(self, address: int, length: int) -> bytes:
            return bytes(memory[address : address + length])

        def write(self, address: int, content: bytes) -> None:
            memory[address : address + len(content)] = content

        def get_access_mode(self) -> Any:
            return genapi.EAccessMode.RW

    mode = switch("TriggerMode", "Off", "On", value=0)
    auto = switch("ExposureAuto", "Off", "Continuous", value=1)
    node_map = genapi.NodeMap()
    node_map.load_xml_from_string(
        XML.format(auto=auto, mode=mode, software=entry("Software", 0), line=entry("Line1", 1) + entry("Line2", 2))
    )
    port = Port()
    node_map.connect(port, "Device")
    # The node map does not keep the port alive; this frame does.
    yield node_map


def features(nodes: Any) -> Any:
    return import_module("andon.hardware.camera.genicam_features").Features(nodes, "T")


def test_the_software_triggers(nodes: Any, memory: bytearray) -> None:
    subject = features(nodes)
    subject.prepare()
    assert (nodes.TriggerMode.value, nodes.TriggerSource.value) == ("On", "Software")
    assert (subject.trigger(), memory[8]) == (True, 1)


@pytest.mark.parametrize(("named", "line"), [({}, "Line1"), ({"TriggerSource": "Line2"}, "Line2")])
def test_a_line_triggers(nodes: Any, named: dict[str, SettingValue], line: str) -> None:
    features(nodes).apply(CameraSettings(trigger=TriggerSource.HARDWARE, features=named))
    assert (nodes.TriggerMode.value, nodes.TriggerSource.value) == ("On", line)


def test_what_regulates_itself_is_switched_off(nodes: Any) -> None:
    features(nodes).apply(CameraSettings(exposure_us=500.0))
    assert (nodes.ExposureAuto.value, nodes.ExposureTime.value) == ("Off", 500.0)


def test_a_value_between_two_steps_is_refused_with_the_steps(nodes: Any) -> None:
    with pytest.raises(CameraSettingError) as caught:
        features(nodes).apply(CameraSettings(width_px=33))
    assert (caught.value.params["found"], caught.value.params["expected"]) == ("33", "16 to 640 in steps of 8")
