"""HAT's published training step in PyTorch on one CPU thread, timed on request: the peer of `npm run bench:step`.

Written from the operations of joansj/hat (src/networks/mlp_hat.py, src/approaches/hat.py), with what costs time kept:
every head is evaluated, protection reads whole float32 matrices, the compensation runs over whole embedding tables, one
norm over all parameters, the clamp makes new tensors. Gradients are scaled for clipping only when their norm is above the
limit, as in the PyTorch that the code was written for: current versions multiply always, which would be slower.

Requests and answers are one JSON object a line, requests on stdin:

    {"describe": true}                           -> {"name", "versions", ...}
    {"case": {"gated": true, "task": 0,
              "s": 20, "flush": false}}          -> {"ready": true}           state and inputs anew, nothing timed
    {"run": 10}                                  -> {"cpuSeconds", "wallSeconds"}      of all the steps together

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE /usr/bin/python3 hat_step.py
"""

import ctypes
import json
import os
import sys
import time

import torch

INPUTS, UNITS, CLASSES, TASKS, BATCH = 784, 2000, 10, 10, 64
LR, S_MAX, C = 0.05, 400.0, 0.75
COSH_CLAMP, EMBEDDING_CLAMP, CLIP_NORM = 50, 6, 10_000
DROPOUT_INPUT, DROPOUT_HIDDEN = 0.2, 0.5


class HatMlp(torch.nn.Module):
    """The published MLP: two gated layers and a head per task."""

    def __init__(self):
        super().__init__()
        self.drop1 = torch.nn.Dropout(DROPOUT_INPUT)
        self.drop2 = torch.nn.Dropout(DROPOUT_HIDDEN)
        self.relu = torch.nn.ReLU()
        self.fc1 = torch.nn.Linear(INPUTS, UNITS)
        self.efc1 = torch.nn.Embedding(TASKS, UNITS)
        self.fc2 = torch.nn.Linear(UNITS, UNITS)
        self.efc2 = torch.nn.Embedding(TASKS, UNITS)
        self.last = torch.nn.ModuleList(torch.nn.Linear(UNITS, CLASSES) for _ in range(TASKS))
        self.gate = torch.nn.Sigmoid()

    def masks(self, task, s):
        return [self.gate(s * self.efc1(task)), self.gate(s * self.efc2(task))]

    def forward(self, task, x, s):
        gates = self.masks(task, s)
        h = self.drop1(x)
        h = self.drop2(self.relu(self.fc1(h)))
        h = h * gates[0].expand_as(h)
        h = self.drop2(self.relu(self.fc2(h)))
        h = h * gates[1].expand_as(h)
        return [head(h) for head in self.last], gates

    def plain(self, x):
        """The same network without gates and with one head, for a step of plain SGD."""
        h = self.drop2(self.relu(self.fc1(self.drop1(x))))
        return self.last[0](self.drop2(self.relu(self.fc2(h))))


class HatStep:
    """State and one step of the published training loop."""

    def __init__(self, task, s):
        self.model = HatMlp()
        self.model.train()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LR)
        self.cross_entropy = torch.nn.CrossEntropyLoss()
        self.images, self.labels = batch()
        self.task, self.s = task, s
        # Half of each layer is used by earlier tasks: saturated gates of the cumulative mask.
        self.mask_pre = None
        self.mask_back = {}
        if task > 0:
            used = (torch.arange(UNITS) % 2).float().view(1, -1)
            self.mask_pre = [used, used]
            post1, post2 = used.view(-1, 1), used.view(-1, 1)
            self.mask_back = {
                "fc1.weight": 1 - post1.expand(UNITS, INPUTS).contiguous(),
                "fc1.bias": 1 - used.view(-1),
                "fc2.weight": 1 - torch.min(post2.expand(UNITS, UNITS), used.expand(UNITS, UNITS)),
                "fc2.bias": 1 - used.view(-1),
            }

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

    def __call__(self):
        s = self.s
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

    def __init__(self):
        self.model = HatMlp()
        self.model.train()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LR)
        self.cross_entropy = torch.nn.CrossEntropyLoss()
        self.images, self.labels = batch()

    def __call__(self):
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


def batch():
    """A batch like digits: four of five pixels are 0."""
    images = torch.rand(BATCH, INPUTS)
    images[torch.rand(BATCH, INPUTS) < 0.8] = 0
    return images, torch.randint(CLASSES, (BATCH,))


def prepared(case):
    torch.manual_seed(0)
    torch.set_flush_denormal(bool(case["flush"]))
    return HatStep(case["task"], case["s"]) if case["gated"] else PlainStep()


def timed(step, count):
    # Of the process, not of the thread: a library that uses a second core after all would show.
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        step()
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
    torch.set_num_threads(1)
    step = None
    for line in sys.stdin:
        request = json.loads(line)
        if "case" in request:
            step = prepared(request["case"])
            answer = {"ready": True}
        elif "run" in request:
            answer = timed(step, request["run"])
        else:
            answer = describe()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
