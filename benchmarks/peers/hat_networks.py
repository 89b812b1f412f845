"""HAT's published networks in PyTorch: joansj/hat, src/networks/mlp_hat.py and alexnet_hat.py.

Every head is evaluated, as there. `plain` is the same network without gates and with one head, for a step of plain SGD.
"""

import torch

CLASSES, TASKS = 10, 10


class HatMlp(torch.nn.Module):
    """Two gated layers of 2000 units behind 784 inputs."""

    inputs, units = (784,), (2000, 2000)

    def __init__(self):
        super().__init__()
        self.drop1 = torch.nn.Dropout(0.2)
        self.drop2 = torch.nn.Dropout(0.5)
        self.relu = torch.nn.ReLU()
        self.fc1 = torch.nn.Linear(784, 2000)
        self.efc1 = torch.nn.Embedding(TASKS, 2000)
        self.fc2 = torch.nn.Linear(2000, 2000)
        self.efc2 = torch.nn.Embedding(TASKS, 2000)
        self.last = torch.nn.ModuleList(torch.nn.Linear(2000, CLASSES) for _ in range(TASKS))
        self.gate = torch.nn.Sigmoid()

    def embeddings(self):
        return [self.efc1, self.efc2]

    def masks(self, task, s):
        return [self.gate(s * e(task)) for e in self.embeddings()]

    def forward(self, task, x, s):
        gates = self.masks(task, s)
        h = self.drop1(x)
        h = self.drop2(self.relu(self.fc1(h)))
        h = h * gates[0].expand_as(h)
        h = self.drop2(self.relu(self.fc2(h)))
        h = h * gates[1].expand_as(h)
        return [head(h) for head in self.last], gates

    def plain(self, x):
        h = self.drop2(self.relu(self.fc1(self.drop1(x))))
        return self.last[0](self.drop2(self.relu(self.fc2(h))))


class HatAlexNet(torch.nn.Module):
    """Three convolutions, each with pooling, and two gated layers of 2048 units behind 3 x 32 x 32 inputs."""

    inputs, units = (3, 32, 32), (64, 128, 256, 2048, 2048)

    def __init__(self):
        super().__init__()
        self.c1 = torch.nn.Conv2d(3, 64, kernel_size=4)
        self.c2 = torch.nn.Conv2d(64, 128, kernel_size=3)
        self.c3 = torch.nn.Conv2d(128, 256, kernel_size=2)
        self.maxpool = torch.nn.MaxPool2d(2)
        self.relu = torch.nn.ReLU()
        self.drop1 = torch.nn.Dropout(0.2)
        self.drop2 = torch.nn.Dropout(0.5)
        self.fc1 = torch.nn.Linear(256 * 2 * 2, 2048)
        self.fc2 = torch.nn.Linear(2048, 2048)
        self.last = torch.nn.ModuleList(torch.nn.Linear(2048, CLASSES) for _ in range(TASKS))
        self.gate = torch.nn.Sigmoid()
        self.ec1 = torch.nn.Embedding(TASKS, 64)
        self.ec2 = torch.nn.Embedding(TASKS, 128)
        self.ec3 = torch.nn.Embedding(TASKS, 256)
        self.efc1 = torch.nn.Embedding(TASKS, 2048)
        self.efc2 = torch.nn.Embedding(TASKS, 2048)

    def embeddings(self):
        return [self.ec1, self.ec2, self.ec3, self.efc1, self.efc2]

    def masks(self, task, s):
        return [self.gate(s * e(task)) for e in self.embeddings()]

    def forward(self, task, x, s):
        gates = self.masks(task, s)
        h = self.maxpool(self.drop1(self.relu(self.c1(x))))
        h = h * gates[0].view(1, -1, 1, 1).expand_as(h)
        h = self.maxpool(self.drop1(self.relu(self.c2(h))))
        h = h * gates[1].view(1, -1, 1, 1).expand_as(h)
        h = self.maxpool(self.drop2(self.relu(self.c3(h))))
        h = h * gates[2].view(1, -1, 1, 1).expand_as(h)
        h = h.view(x.size(0), -1)
        h = self.drop2(self.relu(self.fc1(h)))
        h = h * gates[3].expand_as(h)
        h = self.drop2(self.relu(self.fc2(h)))
        h = h * gates[4].expand_as(h)
        return [head(h) for head in self.last], gates

    def plain(self, x):
        h = self.maxpool(self.drop1(self.relu(self.c1(x))))
        h = self.maxpool(self.drop1(self.relu(self.c2(h))))
        h = self.maxpool(self.drop2(self.relu(self.c3(h)))).view(x.size(0), -1)
        h = self.drop2(self.relu(self.fc1(h)))
        return self.last[0](self.drop2(self.relu(self.fc2(h))))


NETWORKS = {"mlp": HatMlp, "alexnet": HatAlexNet}
