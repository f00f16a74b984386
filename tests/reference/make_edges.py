"""Write small pictures and the edges that OpenCV and controlnet_aux's recipe find in them.

    python make_edges.py OUT        (OUT is the folder `edges` beside this file)

OUT/expected.safetensors: for each picture its bytes (height, width, 3), `NAME canny LOW HIGH` and `NAME scribble LEVELS
WIDTH` (height, width), 255 on a line. The pictures are a cut of a render of `mini/render.py` and soft noise of an odd size.
Made with opencv-python-headless 5.0.0.93.
"""
import os, sys
import cv2, numpy as np
from safetensors.numpy import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "mini"))
from render import render  # noqa: E402


def scribble(picture, levels, width):
    """`controlnet_aux`'s XDoG; its threshold is twice `levels`."""
    fine, wide = (cv2.GaussianBlur(picture.astype(np.float32), (0, 0), sigma) for sigma in (.5, width))
    dog = (255 - np.min(wide - fine, axis=2)).clip(0, 255).astype(np.uint8)
    return np.where(2 * (255 - dog.astype(int)) > 2 * levels, 255, 0).astype(np.uint8)


def main(out):
    rng = np.random.default_rng(3)
    scene = np.ascontiguousarray(np.asarray(render(np.random.default_rng([8, 2]), degraded=False)[0])[90:186, 60:204])
    noise = cv2.GaussianBlur(rng.uniform(0, 255, (37, 23, 3)).astype(np.float32), (0, 0), 1.2)
    noise = np.clip((noise - 128) * 3 + 128, 0, 255).astype(np.uint8)
    tensors = {}
    for name, picture in (("scene", scene), ("noise", noise)):
        tensors[name] = picture
        for low, high in ((100, 200), (300, 600)):
            tensors[f"{name} canny {low} {high}"] = cv2.Canny(picture, low, high)
        for levels, width in ((16, 5), (4, 2)):
            tensors[f"{name} scribble {levels} {width}"] = scribble(picture, levels, width)
    for name, tensor in tensors.items():
        print(name, tensor.shape, round(float(tensor.mean()), 1))
    os.makedirs(out, exist_ok=True)
    save_file(tensors, f"{out}/expected.safetensors")
    os.chmod(f"{out}/expected.safetensors", 0o644)


if __name__ == "__main__":
    main(sys.argv[1])
