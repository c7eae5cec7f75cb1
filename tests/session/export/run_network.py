"""Runs networks in files, in a process that has none of our code."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch

sys.modules["napari_spaceediting"] = None
torch.set_num_threads(1)
for folder in map(Path, sys.argv[1:]):
    with np.load(folder / "pixels.npz") as kept:
        images = [kept[name] for name in kept.files]
    extra = {"metadata.json": ""}
    program = torch.export.load(folder / "network.pt2", extra_files=extra).module()
    model = onnxruntime.InferenceSession(folder / "network.onnx")
    properties = model.get_modelmeta().custom_metadata_map
    about = json.loads(extra["metadata.json"])
    assert json.loads(properties["class_names"]) == about["class_names"]
    assert about["input"]["channels"] == images[0].shape[1]
    with torch.inference_mode():
        torch_said = [program(torch.from_numpy(image)) for image in images]
    onnx_said = [model.run(None, {"pixels": image}) for image in images]
    np.savez(
        folder / "said.npz",
        **{
            f"{kind}_{what}": np.concatenate([np.asarray(one[at]) for one in said])
            for kind, said in (("pt2", torch_said), ("onnx", onnx_said))
            for at, what in enumerate(("latents", "probabilities"))
        },
    )
    (folder / "about.json").write_text(json.dumps(about))
