"""HAT's published training step in PyTorch on the CPU, timed on request: the peer of the benchmarks of steps and epochs.

Written from the operations of joansj/hat (src/networks/*_hat.py, src/approaches/hat.py), with what costs time kept:
every head is evaluated, protection reads whole float32 matrices, the compensation runs over whole embedding tables, one
norm over all parameters, the clamp makes new tensors. Gradients are scaled for clipping only when their norm is above the
limit, as in the PyTorch that the code was written for: current versions multiply always, which would be slower.

Requests and answers are one JSON object a line, requests on stdin:

    {"describe": true}                           -> {"name", "versions", ...}
    {"case": {"network": "mlp", "gated": true,
              "task": 0, "flush": false}}        -> {"ready": true}           state and inputs anew, nothing timed
    {"embeddings": [[0.1, ...], ...]}            -> {"ready": true}           of the task, a list for each layer
    {"run": [20, 20]}                            -> {"cpuSeconds", "wallSeconds"}      of a step for each slope s together

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE /usr/bin/python3 hat_step.py
"""

import ctypes
import json
import os
import sys
import time

import torch

from hat_networks import CLASSES, NETWORKS

BATCH = 64
LR, S_MAX, C = 0.05, 400.0, 0.75
COSH_CLAMP, EMBEDDING_CLAMP, CLIP_NORM = 50, 6, 10_000


class HatStep:
    """State and one step of the published training loop."""

    def __init__(self, network, task):
        self.model = NETWORKS[network]()
        self.model.train()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LR)
        self.cross_entropy = torch.nn.CrossEntropyLoss()
        self.images, self.labels = batch(self.model.inputs)
        self.task = task
        # Half of each layer is used by earlier tasks: saturated gates of the cumulative mask.
        self.mask_pre = None
        self.mask_back = {}
        if task > 0:
            self.mask_pre = [(torch.arange(units) % 2).float().view(1, -1) for units in self.model.units]
            self.mask_back = mask_back_of_mlp(self.model, self.mask_pre)

    def set_embeddings(self, lists):
        for table, values in zip(self.model.embeddings(), lists):
            table.weight.data[self.task] = torch.tensor(values)

    def loss(self, logits, gates):
        weighted, free = 0, 0
        if self.mask_pre is None:
            for a in gates:
                weighted += a.sum()
                free += a.numel()
        else:
            for a, before in zip(gates, self.mask_pre):
                aux = 1 - before
                weighted += (a * aux).sum()
                free += aux.sum()
        return self.cross_entropy(logits, self.labels) + C * (weighted / free)

    def __call__(self, s):
        task = torch.LongTensor([self.task])
        outputs, gates = self.model(task, self.images, s)
        loss = self.loss(outputs[self.task], gates)

        self.optimizer.zero_grad(set_to_none=False)
        loss.backward()

        if self.task > 0:
            for name, p in self.model.named_parameters():
                if name in self.mask_back:
                    p.grad.data *= self.mask_back[name]
        for name, p in self.model.named_parameters():
            if name.startswith("e"):
                num = torch.cosh(torch.clamp(s * p.data, -COSH_CLAMP, COSH_CLAMP)) + 1
                den = torch.cosh(p.data) + 1
                p.grad.data *= S_MAX / s * num / den
        clip(self.model.parameters())
        self.optimizer.step()
        for name, p in self.model.named_parameters():
            if name.startswith("e"):
                p.data = torch.clamp(p.data, -EMBEDDING_CLAMP, EMBEDDING_CLAMP)
        return loss.item()


class PlainStep:
    """One step of SGD on the same layers, without gates, regulariser and clipping."""

    def __init__(self, network):
        self.model = NETWORKS[network]()
        self.model.train()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LR)
        self.cross_entropy = torch.nn.CrossEntropyLoss()
        self.images, self.labels = batch(self.model.inputs)

    def __call__(self, _):
        loss = self.cross_entropy(self.model.plain(self.images), self.labels)
        self.optimizer.zero_grad(set_to_none=False)
        loss.backward()
        self.optimizer.step()
        return loss.item()


def clip(parameters):
    """Global L2 norm, one pass over all gradients; they are scaled only when it is above the limit."""
    gradients = [p.grad.data for p in parameters if p.grad is not None]
    norm = sum(float(g.norm()) ** 2 for g in gradients) ** 0.5
    factor = CLIP_NORM / (norm + 1e-6)
    if factor < 1:
        for g in gradients:
            g.mul_(factor)


def mask_back_of_mlp(model, mask_pre):
    """What gradients are multiplied with where earlier tasks use half of the units. Only the MLP is measured so."""
    used1, used2 = mask_pre
    post1, post2 = used1.view(-1, 1), used2.view(-1, 1)
    return {
        "fc1.weight": 1 - post1.expand_as(model.fc1.weight).contiguous(),
        "fc1.bias": 1 - used1.view(-1),
        "fc2.weight": 1 - torch.min(post2.expand_as(model.fc2.weight), used1.expand_as(model.fc2.weight)),
        "fc2.bias": 1 - used2.view(-1),
    }


def batch(shape):
    """A batch like digits: four of five pixels are 0."""
    images = torch.rand(BATCH, *shape)
    images[torch.rand(BATCH, *shape) < 0.8] = 0
    return images, torch.arange(BATCH) % CLASSES


def prepared(case):
    torch.manual_seed(1)
    torch.set_flush_denormal(bool(case["flush"]))
    return HatStep(case["network"], case["task"]) if case["gated"] else PlainStep(case["network"])


def timed(step, slopes):
    # Of the process, not of the thread: a library that uses more cores than it should would show.
    wall, cpu = time.perf_counter(), time.process_time()
    for s in slopes:
        step(s)
    return {"cpuSeconds": time.process_time() - cpu, "wallSeconds": time.perf_counter() - wall}


def openblas():
    """The BLAS that PyTorch was linked with: version and processor core, or None when it is not OpenBLAS."""
    try:
        with open("/proc/self/maps", encoding="ascii") as maps:
            path = next(line.split()[-1] for line in maps if "openblas" in line)
        library = ctypes.CDLL(path)
    except (OSError, StopIteration):
        return None
    library.openblas_get_config.restype = ctypes.c_char_p
    library.openblas_get_corename.restype = ctypes.c_char_p
    return {
        "config": library.openblas_get_config().decode().strip(),
        "core": library.openblas_get_corename().decode(),
        "threads": library.openblas_get_num_threads(),
    }


def describe():
    return {
        "name": f"PyTorch {torch.__version__}",
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "torchThreads": torch.get_num_threads(),
        "openblas": openblas(),
        "environment": {name: value for name, value in sorted(os.environ.items()) if name.startswith(("OMP_", "OPENBLAS_"))},
    }


def main():
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    step = None
    for line in sys.stdin:
        request = json.loads(line)
        if "case" in request:
            step = prepared(request["case"])
            answer = {"ready": True}
        elif "embeddings" in request:
            step.set_embeddings(request["embeddings"])
            answer = {"ready": True}
        elif "run" in request:
            answer = timed(step, request["run"])
        else:
            answer = describe()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
