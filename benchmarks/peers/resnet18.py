"""A training step of ResNet-18 for 32 x 32 images in PyTorch on one CPU thread, timed on request.

The stem is a 3 x 3 convolution without pooling; SGD with momentum 0.9, batch 32. Images and weights lie as the request
says: "contiguous" (NCHW, as PyTorch ships) or "channels_last" (NHWC).

Requests and answers are one JSON object a line, requests on stdin:

    {"describe": true}                           -> {"name", "versions", ...}
    {"case": {"layout": "channels_last",
              "flush": false}}                   -> {"ready": true}           state and inputs anew, nothing timed
    {"run": 1}                                   -> {"cpuSeconds", "wallSeconds"}      of all the steps together

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE /usr/bin/python3 resnet18.py
"""

import json
import os
import sys
import time

import torch
from hat_step import describe

BATCH, SIDE, CLASSES = 32, 32, 10
LR, MOMENTUM = 0.05, 0.9


def convolution(inputs, outputs, kernel, stride):
    return torch.nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


class Block(torch.nn.Module):
    """Two 3 x 3 convolutions and what skips them."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = convolution(inputs, outputs, 3, stride)
        self.norm1 = torch.nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs, 3, 1)
        self.norm2 = torch.nn.BatchNorm2d(outputs)
        self.relu = torch.nn.ReLU(inplace=True)
        self.shortcut = None
        if stride != 1:
            self.shortcut = torch.nn.Sequential(convolution(inputs, outputs, 1, stride), torch.nn.BatchNorm2d(outputs))

    def forward(self, x):
        passed = x if self.shortcut is None else self.shortcut(x)
        h = self.relu(self.norm1(self.conv1(x)))
        return self.relu(self.norm2(self.conv2(h)) + passed)


class ResNet18(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Sequential(convolution(3, 64, 3, 1), torch.nn.BatchNorm2d(64), torch.nn.ReLU(inplace=True))
        blocks, inputs = [], 64
        for outputs in (64, 128, 256, 512):
            blocks += [Block(inputs, outputs, 1 if outputs == 64 else 2), Block(outputs, outputs, 1)]
            inputs = outputs
        self.blocks = torch.nn.Sequential(*blocks)
        self.head = torch.nn.Linear(512, CLASSES)

    def forward(self, x):
        h = torch.nn.functional.adaptive_avg_pool2d(self.blocks(self.stem(x)), 1)
        return self.head(h.flatten(1))


class Step:
    def __init__(self, layout):
        memory_format = getattr(torch, f"{layout}_format" if layout == "contiguous" else layout)
        self.model = ResNet18().to(memory_format=memory_format)
        self.model.train()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=LR, momentum=MOMENTUM)
        self.cross_entropy = torch.nn.CrossEntropyLoss()
        self.images = (torch.rand(BATCH, 3, SIDE, SIDE) * 2 - 1).contiguous(memory_format=memory_format)
        self.labels = torch.arange(BATCH) % CLASSES

    def __call__(self):
        loss = self.cross_entropy(self.model(self.images), self.labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.item()


def timed(step, count):
    # Of the process, not of the thread: a library that uses a second core after all would show.
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        step()
    return {"cpuSeconds": time.process_time() - cpu, "wallSeconds": time.perf_counter() - wall}


def main():
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    step = None
    for line in sys.stdin:
        request = json.loads(line)
        if "case" in request:
            torch.manual_seed(0)
            torch.set_flush_denormal(bool(request["case"]["flush"]))
            step = Step(request["case"]["layout"])
            answer = {"ready": True}
        elif "run" in request:
            answer = timed(step, request["run"])
        else:
            answer = describe()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
