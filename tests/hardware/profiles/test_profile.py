"""What a device profile may say, and what onnxruntime is asked for because of it."""

from typing import Any

import pytest

from andon.hardware.profiles.profile import DEVICES, PROVIDERS, TESTED, device_profile, read_profile
from andon.models.graphs.placement import CPU_PROVIDER, Placement, Provider
from andon.models.types.errors import OptionError


def test_a_profile_that_says_nothing_is_one_thread_of_the_cpu() -> None:
    profile = read_profile({})
    assert profile == device_profile()
    assert profile.placements == (Placement((Provider(CPU_PROVIDER),), threads=1, cores=()),)


def test_the_cpu_comes_last_on_every_device() -> None:
    for device in DEVICES:
        *better, last = device_profile(device).placements
        assert [each.providers[-1].name for each in better] == [CPU_PROVIDER] * len(better)
        assert last.providers == (Provider(CPU_PROVIDER),)


def test_a_device_is_tried_before_the_one_behind_it_and_both_take_nodes_before_the_cpu() -> None:
    names = [[each.name for each in placement.providers] for placement in device_profile("tensorrt").placements]
    cuda = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    assert names == [["TensorrtExecutionProvider", *cuda], cuda, cuda[1:]]


def test_only_what_was_run_on_counts_as_tested() -> None:
    assert {device for device in DEVICES if device_profile(device).is_tested} == TESTED == {"cpu", "openvino"}
    assert DEVICES.keys() == PROVIDERS.keys()


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("cuda", {"use_tf32": "0"}),
        ("qnn", {"backend_type": "htp"}),
        ("cann", {"precision_mode": "must_keep_origin_dtype"}),
        (
            "openvino",
            {
                "device_type": "CPU",
                "precision": "ACCURACY",
                "num_of_threads": "2",
                "load_config": '{"CPU": {"ENABLE_CPU_PINNING": "NO"}}',
            },
        ),
    ],
)
def test_a_device_computes_in_full_precision_where_nothing_else_is_said(device: str, expected: dict[str, str]) -> None:
    assert device_profile(device, threads=2).providers[0].options == expected


def test_options_are_given_as_texts_and_come_before_the_defaults() -> None:
    options = {
        "tensorrt": {"trt_engine_cache_enable": True, "trt_max_workspace_size": 1 << 30},
        "cuda": {"use_tf32": "1"},
    }
    tensorrt, cuda, cpu = read_profile({"device": "tensorrt", "options": options}).providers
    assert tensorrt.options == {"trt_engine_cache_enable": "true", "trt_max_workspace_size": "1073741824"}
    assert cuda.options == {"use_tf32": "1"}
    assert cpu.options == {}


def test_what_is_meant_for_openvino_on_the_cpu_is_not_told_to_its_other_devices() -> None:
    options = device_profile("openvino", options={"openvino": {"device_type": "GPU"}}).providers[0].options
    assert options == {"device_type": "GPU", "precision": "ACCURACY"}


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"devise": "cpu"}, "subject=devise, found=devise, expected=device, threads, cores, options"),
        ({"device": "tpu"}, "subject=device, found=tpu, expected=cpu, openvino, cuda, tensorrt, qnn, cann"),
        ({"device": 1}, "subject=device, found=1, reason="),
        ({"threads": 0}, "subject=threads, found=0, expected=1 or more"),
        ({"threads": True}, "subject=threads, found=True, reason="),
        ({"threads": 3, "cores": [0, 1]}, "subject=threads, found=3, expected=at most 2"),
        ({"cores": [1, 1]}, r"subject=cores, found=\[1, 1\], expected=each once"),
        ({"cores": [-1]}, r"subject=cores, found=\[-1\], expected=each once, from 0"),
        ({"cores": "01"}, "subject=cores, found='01', reason="),
        (
            {"device": "cuda", "options": {"openvino": {}}},
            "subject=options.openvino, found=openvino, expected=cuda, cpu",
        ),
        ({"options": {"cpu": {"arena": [1]}}}, "subject=options, found=.*, reason="),
    ],
)
def test_what_cannot_be_used_is_named_with_what_was_found(table: dict[str, Any], told: str) -> None:
    with pytest.raises(OptionError, match=told):
        read_profile(table)
