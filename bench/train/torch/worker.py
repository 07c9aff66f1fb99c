"""The PyTorch side of `npm run bench:train`: lines of JSON on the input, one answer for each on the output
(bench/child.ts). One thread, eager, batches taken by index from samples in memory, the loss read after every step."""

import json
import os
import platform
import sys
import time

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"  # before torch is loaded

import torch  # noqa: E402

from safetensors_file import read  # noqa: E402
from twins import TWINS  # noqa: E402

torch.set_num_threads(1)
torch.set_num_interop_threads(1)


class Training:
    def __init__(self, task):
        data = read(task["data"])
        self.first = read(task["first"])
        self.model = TWINS[task["case"]]()
        with torch.no_grad():
            self.model.load(read(task["weights"]))
        if "tokens" in data:
            self.x, self.y = data["tokens"].long(), data["next"].long()
        else:
            self.x, self.y = data["samples"], data["labels"].long()
        self.batch = task["batch"]
        self.optimizer = torch.optim.SGD(
            [p for p in self.model.parameters() if p.requires_grad], lr=task["learningRate"], momentum=task["momentum"]
        )

    def step(self, *inputs):
        self.optimizer.zero_grad()
        loss = self.model.loss(*inputs)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def losses(self, steps):
        """Before each of the first steps, over the batches that our engines saw in theirs."""
        losses = []
        for step in range(steps):
            x, y, *noise = (self.first[f"{step}/{i}"] for i in range(3) if f"{step}/{i}" in self.first)
            x = x.to(self.x.dtype)
            y = y.argmax(1) if noise else y.long().view(len(x), *self.y.shape[1:])
            losses.append(self.step(x, y, *noise))
        return losses

    def run(self, steps):
        """Over shuffled samples, as often as it takes."""
        taken = 0
        while taken < steps:
            for rows in torch.randperm(len(self.x)).split(self.batch)[: steps - taken]:
                self.step(self.x[rows], self.y[rows])
                taken += 1


def main():
    training = None
    for line in sys.stdin:
        task = json.loads(line)
        try:
            if task["do"] == "version":
                answer = {"version": f"{torch.__version__}, one thread, eager, Python {platform.python_version()}"}
            elif task["do"] == "load":
                torch.manual_seed(1)
                training = Training(task)
                answer = {}
            elif task["do"] == "losses":
                answer = {"losses": training.losses(task["steps"])}
            else:
                started = time.process_time()
                training.run(task["steps"])
                answer = {"seconds": time.process_time() - started, "extraBytes": None, "peakBytes": None}
        except Exception as error:  # the caller says so and goes on
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
