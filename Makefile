# Every target sets itself up: the first call makes .venv and installs pinned versions, a second call is quick.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := records,plots,train,serve,traces,report,edge,genicam,stream,demo,dev
STAMP := $(VENV)/.installed
# What the demo keeps stays in the checkout, so that deleting the folder deletes it.
DEMO_HOME := $(CURDIR)/.andon

.PHONY: install demo demo-edge test check bench soak wheelhouse sbom kserve sparkplug openvino format clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch torchvision
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$(EXTRAS)]"
	touch $@

demo: install
	ANDON_HOME="$${ANDON_HOME:-$(DEMO_HOME)}" $(BIN)/andon demo $(ARGS)

# A simulated line with a bundle that is trained for it first.
demo-edge: install
	test -d dist/demo-edge || $(BIN)/andon train vision --data synthetic:pcb --out dist/demo-edge
	$(BIN)/andon edge demo dist/demo-edge $(ARGS)

test: install
	$(BIN)/python -m pytest -n 2 --dist loadscope $(ARGS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Speed and memory: figures, never a verdict. One at a time, nothing else running.
bench: install
	$(BIN)/python -m tests.bench.run $(ARGS)

# The long loops at their full counts.
soak: install
	ANDON_SOAK=1 $(BIN)/python -m pytest -m soak $(ARGS)

# What an installation without a network needs, in dist/wheelhouse: of the service, or of a box beside the line with FOR=edge or FOR=edge,genicam.
FOR := serve
wheelhouse: install
	$(BIN)/python deploy/wheelhouse.py dist/wheelhouse $(FOR)

# What that installs, with licences, as CycloneDX: dist/sbom.cdx.json.
sbom: wheelhouse
	rm -rf dist/.sbom && $(PYTHON) -m venv --without-pip dist/.sbom
	$(BIN)/python -m pip --python dist/.sbom/bin/python install --quiet --no-index --require-hashes \
	  --find-links dist/wheelhouse --requirement dist/wheelhouse/requirements.txt
	$(BIN)/cyclonedx-py environment dist/.sbom/bin/python --pyproject pyproject.toml --output-reproducible --validate \
	  --output-file dist/sbom.cdx.json
	rm -rf dist/.sbom

# kserve's client in an environment of its own: it wants other versions than Andon.
kserve:
	test -x .kserve/bin/python || $(PYTHON) -m venv .kserve
	.kserve/bin/python -m pip install --quiet --disable-pip-version-check kserve==0.21.0

# Another implementation of Sparkplug B in an environment of its own: it wants an older paho than Andon.
sparkplug:
	test -x .sparkplug/bin/python || $(PYTHON) -m venv .sparkplug
	.sparkplug/bin/python -m pip install --quiet --disable-pip-version-check pysparkplug==0.6.1

# OpenVINO's build of onnxruntime in a folder of its own: it has the same modules as onnxruntime.
openvino: install
	test -d .openvino/onnxruntime || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target .openvino onnxruntime-openvino==1.24.1

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .andon dist build
