"""Run by ``test_kserve_client`` with another interpreter, which has kserve: asks a server everything that its client can.

Usage: ``python kserve_client.py URL MODEL FILE``, with the frames as ``.npy``; prints one JSON object.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig  # type: ignore[import-not-found]
from kserve.protocol.infer_type import RequestedOutput  # type: ignore[import-not-found]


def request_of(model: str, frames: Any, binary_input: bool, binary_output: bool) -> Any:
    tensor = InferInput("image", list(frames.shape), "UINT8")
    tensor.set_data_from_numpy(frames, binary_data=binary_input)
    outputs = [
        RequestedOutput(name, parameters={"binary_data": binary_output}) for name in ("score", "verdict", "score_map")
    ]
    return InferRequest(model, [tensor], request_id="part 7", request_outputs=outputs)


def outputs_of(response: Any) -> dict[str, Any]:
    arrays = {output.name: output.as_numpy() for output in response.outputs}
    return {
        "id": response.id,
        "model_name": response.model_name,
        "score": arrays["score"].tolist(),
        "verdict": [each.decode() if isinstance(each, bytes) else each for each in arrays["verdict"].tolist()],
        "map_shape": list(arrays["score_map"].shape),
        "map_sum": float(arrays["score_map"].astype(np.float64).sum()),
    }


async def refusal_of(asked: Awaitable[Any]) -> list[Any] | None:
    try:
        await asked
    except httpx.HTTPStatusError as error:
        return [error.response.status_code, str(error)]
    return None


async def ask(url: str, model: str, frames: Any) -> dict[str, Any]:
    async with InferenceRESTClient(RESTConfig(protocol="v2", retries=1)) as client:
        inferred = {}
        for binary_input in (False, True):
            for binary_output in (False, True):
                name = f"{'binary' if binary_input else 'json'} to {'binary' if binary_output else 'json'}"
                response_headers: dict[str, str] = {}
                response = await client.infer(
                    url,
                    request_of(model, frames, binary_input, binary_output),
                    model_name=model,
                    response_headers=response_headers,
                )
                inferred[name] = {**outputs_of(response), "content_type": response_headers["content-type"]}
        return {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model_ready": await client.is_model_ready(url, model),
            "other_ready": await client.is_model_ready(url, "other"),
            "inferred": inferred,
            "other_refused": await refusal_of(
                client.infer(url, request_of("other", frames, True, True), model_name="other")
            ),
            "shape_refused": await refusal_of(
                client.infer(url, request_of(model, frames[0], True, True), model_name=model)
            ),
        }


if __name__ == "__main__":
    address, served, path = sys.argv[1:]
    metadata = httpx.get(f"{address}/v2/models/{served}").json()
    print(json.dumps({"metadata": metadata, **asyncio.run(ask(address, served, np.load(path)))}))
