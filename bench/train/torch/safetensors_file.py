"""Reads a safetensors file of float32 tensors: 8 bytes length, a JSON header, the tensors' bytes."""

import json
import math
import struct

import torch


def read(path):
    """Tensors by name."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin = 8 + length + entry["data_offsets"][0]
        count = math.prod(entry["shape"])
        flat = torch.frombuffer(bytearray(data[begin : begin + 4 * count]), dtype=torch.float32)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors
