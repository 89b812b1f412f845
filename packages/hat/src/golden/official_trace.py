"""Golden trace of HAT's published training step: writes official-trace.json beside this file.

    /usr/bin/python3 packages/hat/src/golden/official_trace.py && npm run format

PyTorch on the CPU, float32, in the order of operations of joansj/hat (src/approaches/hat.py and src/networks/mlp_hat.py):
an MLP 6-8-8 with three tasks of three classes and no dropout. Everything that enters is in the file, so that another
implementation can take each step from the state before it. The places of the batches in their epoch are chosen, not
counted, so that few steps see every regime; `check` holds the file to that.
"""

import json
from pathlib import Path

import torch

INPUTS, UNITS, CLASSES, TASKS = 6, 8, 3, 3
LR, S_MAX, C, COSH_CLAMP, EMBEDDING_CLAMP = 5.5556e-3, 400.0, 0.75, 50, 6  # lr: the third of the published schedule
IMAGES, SAMPLES = 16, 1000

# (offset of the batch's first sample, rows of the images, limit of the norm). The published limit is 10,000; a small one
# once per task after the first shows a clipped step. The last batch of an epoch is smaller.
BATCHES = [
    (0, (3, 14, 7, 0), 10_000.0),
    (5, (9, 1, 12, 6), 10_000.0),
    (40, (15, 4, 10, 2), 10_000.0),
    (200, (8, 13, 5, 11), 2.0),
    (996, (0, 9), 10_000.0),
]

# By task and layer. s e is in (10, 17) for 0.7 at s = 16 and 0.15 at s = 80, beyond -50 for -0.9 at s = 80.
EMBEDDINGS = [
    [[-2.5, -0.9, -0.4, 0.1, 0.02, 0.15, 0.7, 1.3], [0.875, -0.7, 0.03, 0.16, 0.11, 6.25, 0.8, -0.15]],
    [[0.75, 0.85, -1.1, 0.142, 0.14, -0.06, -0.8, 0.25], [-0.9, 0.9, 0.7, -0.03, 0.15, 0.04, -1.5, 0.6]],
    [[0.04, -0.8, 0.9, 0.13, 0.65, -0.04, 0.3, -6.25], [0.15, 0.02, -0.95, 0.85, -0.1, 0.75, 0.05, 0.4]],
]


class HatMlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(INPUTS, UNITS)
        self.efc1 = torch.nn.Embedding(TASKS, UNITS)
        self.fc2 = torch.nn.Linear(UNITS, UNITS)
        self.efc2 = torch.nn.Embedding(TASKS, UNITS)
        self.last = torch.nn.ModuleList(torch.nn.Linear(UNITS, CLASSES) for _ in range(TASKS))

    def masks(self, task, s):
        return [torch.sigmoid(s * self.efc1(task)), torch.sigmoid(s * self.efc2(task))]

    def forward(self, task, x, s):
        gates = self.masks(task, s)
        h = torch.relu(self.fc1(x))
        h = h * gates[0].expand_as(h)
        h = torch.relu(self.fc2(h))
        h = h * gates[1].expand_as(h)
        return [head(h) for head in self.last], gates


def is_embedding(name):
    return name.startswith("e")


def regulariser(gates, before):
    if before is None:
        return sum(a.sum() for a in gates) / sum(a.numel() for a in gates)
    free = [1 - b for b in before]
    return sum((a * f).sum() for a, f in zip(gates, free)) / sum(f.sum() for f in free)


def conditioning(before):
    """`1 - view` of every conditioned parameter, float32; none at the first task."""
    if before is None:
        return {}
    post1, post2 = (b.view(-1, 1) for b in before)
    return {
        "fc1.weight": 1 - post1.expand(UNITS, INPUTS),
        "fc1.bias": 1 - post1.view(-1),
        "fc2.weight": 1 - torch.min(post2.expand(UNITS, UNITS), before[0].view(1, -1).expand(UNITS, UNITS)),
        "fc2.bias": 1 - post2.view(-1),
    }


def step(model, optimizer, task, before, images, labels, sample, clip_norm):
    """Steps 2 to 11 of the published loop; returns all that was computed on the way."""
    rows = torch.LongTensor([task])
    s = (S_MAX - 1 / S_MAX) * sample / SAMPLES + 1 / S_MAX
    outputs, gates = model(rows, images, s)
    r = regulariser(gates, before)
    loss = torch.nn.functional.cross_entropy(outputs[task], labels) + C * r
    optimizer.zero_grad()
    loss.backward()
    record = {
        "s": s,
        "gates": {"fc1": numbers(gates[0]), "fc2": numbers(gates[1])},
        "loss": number(loss),
        "regulariser": number(r),
        "gradients": {"afterBackward": gradients(model, task)},
    }

    for name, factor in conditioning(before).items():
        p = model.get_parameter(name)
        p.grad.data *= factor
        record["gradients"].setdefault("afterConditioning", {})[name] = numbers(p.grad)

    for name, p in model.named_parameters():
        if is_embedding(name):
            numerator = torch.cosh(torch.clamp(s * p.data, -COSH_CLAMP, COSH_CLAMP)) + 1
            denominator = torch.cosh(p.data) + 1
            p.grad.data *= S_MAX / s * numerator / denominator
    record["gradients"]["afterCompensation"] = gradients(model, task)["embeddings"]

    with_gradient = [p for p in model.parameters() if p.grad is not None]
    norm = torch.sqrt(sum(p.grad.data.pow(2).sum() for p in with_gradient))
    factor = clip_norm / (float(norm) + 1e-6)
    if factor < 1:
        for p in with_gradient:
            p.grad.data.mul_(factor)
        record["gradients"]["afterClipping"] = gradients(model, task)
    record["norm"] = number(norm)

    optimizer.step()
    for name, p in model.named_parameters():
        if is_embedding(name):
            p.data = torch.clamp(p.data, -EMBEDDING_CLAMP, EMBEDDING_CLAMP)
    return record


def named(model, task):
    """Parameters as one task sees them: the body, its head, its rows of the embedding tables."""
    yield from ((name, model.get_parameter(name)) for name in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"))
    yield from ((f"head.{role}", model.get_parameter(f"last.{task}.{role}")) for role in ("weight", "bias"))


def state(model, task):
    return {
        "parameters": {name: numbers(p) for name, p in named(model, task)},
        "embeddings": {"fc1": numbers(model.efc1.weight[task]), "fc2": numbers(model.efc2.weight[task])},
    }


def gradients(model, task):
    embeddings = {"efc1": model.efc1.weight.grad, "efc2": model.efc2.weight.grad}
    for table in embeddings.values():
        assert torch.count_nonzero(table) == torch.count_nonzero(table[task]), "rows of other tasks have no gradient"
    return {
        "parameters": {name: numbers(p.grad) for name, p in named(model, task)},
        "embeddings": {"fc1": numbers(embeddings["efc1"][task]), "fc2": numbers(embeddings["efc2"][task])},
    }


def numbers(t):
    return [shortest(x) for x in t.detach().reshape(-1).tolist()]


def number(t):
    return shortest(t.item())


def shortest(x):
    """Nine digits say which float32 it is."""
    return float(f"{x:.9g}")


def spread(shape, stride, scale):
    """Fixed values without a random generator: multiples of 1/64 around 0, each of which float32 holds exactly."""
    count = 1
    for size in shape:
        count *= size
    return torch.tensor([((i * stride) % 53 - 26) / 64 * scale for i in range(count)]).view(shape)


def fixed_model():
    model = HatMlp()
    with torch.no_grad():
        for index, (name, p) in enumerate(model.named_parameters()):
            if not is_embedding(name):
                p.copy_(spread(p.shape, 17 + 2 * index, 1.5 if name.endswith("weight") else 0.25))
        for layer, table in enumerate((model.efc1, model.efc2)):
            table.weight.copy_(torch.tensor([rows[layer] for rows in EMBEDDINGS]))
    return model


def cumulative(model, task, before):
    with torch.no_grad():
        gates = [a.view(-1) for a in model.masks(torch.LongTensor([task]), S_MAX)]
        return gates if before is None else [torch.max(a, b) for a, b in zip(gates, before)]


def check(tasks):
    """What the trace is there to tell apart."""
    steps = [(task, step) for task in tasks for step in task["steps"]]
    slopes = [
        step["s"] * e
        for task in tasks
        for before, step in zip([task["initial"]] + [s["after"] for s in task["steps"]], task["steps"])
        for e in before["embeddings"]["fc1"] + before["embeddings"]["fc2"]
    ]
    assert any(abs(x) > 50 for x in slopes), "no gate beyond the clamp of cosh"
    assert any(10 < x < 17 for x in slopes), "no gate where 1 - a has lost its digits"
    # Between 16 and 18 an ulp of exp decides whether a gate is exactly 1: no oracle for another implementation.
    assert not any(16 < x < 18 for x in slopes), "a gate at the edge of 1"
    fractional = [a for task in tasks[1:] for layer in task["before"].values() for a in layer if 1e-6 < a < 1 - 1e-6]
    assert len(fractional) > 0, "no fractional cumulative gate"
    assert any(step["norm"] > step["clipNorm"] for _, step in steps), "no clipped step"
    assert all(step["loss"] == step["loss"] for _, step in steps), "the loss became NaN"
    at_clamp = [e for _, step in steps for e in step["after"]["embeddings"]["fc1"] + step["after"]["embeddings"]["fc2"]]
    assert any(abs(e) == EMBEDDING_CLAMP for e in at_clamp), "no embedding at its clamp"


def main():
    torch.set_num_threads(1)
    model = fixed_model()
    images = spread((IMAGES, INPUTS), 31, 2.0)
    tasks, before = [], None
    for task in range(TASKS):
        labels = torch.tensor([(i * (task + 2) + i // 5) % CLASSES for i in range(IMAGES)])
        optimizer = torch.optim.SGD(model.parameters(), lr=LR)
        entry = {
            "before": {} if before is None else {"fc1": numbers(before[0]), "fc2": numbers(before[1])},
            "labels": labels.tolist(),
            "initial": state(model, task),
            "steps": [],
        }
        for sample, rows, clip_norm in BATCHES:
            chosen = torch.LongTensor(rows)
            record = step(model, optimizer, task, before, images[chosen], labels[chosen], sample, clip_norm)
            entry["steps"].append(
                {"sample": sample, "rows": list(rows), "clipNorm": clip_norm, **record, "after": state(model, task)}
            )
        before = cumulative(model, task, before)
        entry["cumulative"] = {"fc1": numbers(before[0]), "fc2": numbers(before[1])}
        tasks.append(entry)
    check(tasks)
    trace = {
        "source": f"official_trace.py, PyTorch {torch.__version__}, CPU",
        "options": {"lr": LR, "sMax": S_MAX, "c": C, "embeddingClamp": EMBEDDING_CLAMP},
        "inputs": INPUTS,
        "units": UNITS,
        "classes": CLASSES,
        "samples": SAMPLES,
        "images": numbers(images),
        "tasks": tasks,
    }
    Path(__file__).with_name("official-trace.json").write_text(json.dumps(trace) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
