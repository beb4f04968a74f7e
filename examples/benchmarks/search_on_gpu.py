"""Many trainings at once on a graphics card: which recipe is best on held-back training rows.

    python examples/benchmarks/search_on_gpu.py data  digits.npz           the training set, packed
    python examples/benchmarks/search_on_gpu.py large box taught --data digits.npz
    python examples/benchmarks/search_on_gpu.py table                      what is known so far

A network for MNIST is small for a graphics card, so that dozens are trained side by side, as one
program over one more axis. This is the package's training written again in JAX, which it isn't
bitwise the same as: the same deformation, loss, schedule, optimizer and averaging. What it finds
is a lead, which accuracy.py then measures with the package itself. MNIST's test set is not read.

Each candidate is trained once for each of several folds: on 50,000 rows, scored on the 10,000
others. Six folds cover the training set, so that an accuracy has the standard error of 60,000
digits, and candidates are compared on the same ones. Those that have a teacher are trained once for
each fold and teacher; their groups follow that of the teachers in one call. Besides, errors are
counted from the mean probabilities over 16 views of each digit, deformed by a quarter and by half
of what training deforms by. Results are kept in search_on_gpu.json. Needs
JAX, and of skdigits its folder on the PYTHONPATH.
"""

from __future__ import annotations

import argparse
import datetime
import json
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from skdigits._augmentation import GRID, N_RANDOM, Augmentation, displacement_basis

RESULTS = Path(__file__).with_suffix(".json")
# Of the deformation in training, how much of it a digit's views are deformed by.
SHARES = {"as it is": 0.0, "16 views at a quarter": 0.25, "16 views at a half": 0.5}
N_FOLDS = 6
EMA, BN_MOMENTUM, BN_EPSILON = 0.998, 0.99, 1e-3
B1, B2, EPSILON = 0.9, 0.999, 1e-7
SIDE = 28
FULL = vars(Augmentation())
RANGES = tuple(FULL)
HALF = FULL | {"rotation": 7.5, "scale": 0.075, "shear": 0.1, "shift": 0.0275, "elastic": 0.03}
BETWEEN = FULL | {"rotation": 11.0, "scale": 0.11, "shear": 0.15, "shift": 0.04, "elastic": 0.035}
WIDE = FULL | {"scale": 0.2, "shear": 0.25, "shift": 0.06, "stroke": 0.7}
NAMED = {"half": HALF, "between": BETWEEN, "full": FULL, "wide": WIDE}
MEMBER = {
    "rate": 0.0015,
    "decay": 0.01,
    "smoothing": 0.05,
    "warm_up": 0.05,
    "silu": 0.0,
    "softening": 2.0,
    "taught": 0.0,
    "form": 0.0,
} | FULL
TAUGHT = {"rate": 0.004, "decay": 0.0, "smoothing": 0.0, "warm_up": 0.3, "taught": 1.0}

# Widths, epochs, rows per step, folds, batch normalisation, and what each candidate changes.
GROUPS: dict[str, dict[str, Any]] = {
    "large": {
        "hidden": (1024, 1024, 512),
        "epochs": 100,
        "batch": 256,
        "folds": 6,
        "norm": True,
        "members": [
            {},
            {"silu": 1.0},
            {"silu": 1.0, "rate": 0.003},
            {"silu": 1.0, "smoothing": 0.0},
            {"silu": 1.0, "decay": 0.05},
            {"silu": 1.0, "stroke": 0.5},
            {"silu": 1.0, "form": 1.0},
            {"silu": 1.0, "form": 2.0},
        ],
    },
    "softening": {
        "hidden": (128, 64),
        "epochs": 300,
        "batch": 256,
        "folds": 3,
        "norm": False,
        # The group to learn from, and which of its members.
        "teachers": ("large", (1, 3)),
        "members": [
            TAUGHT | HALF | {"taught": 0.0},
            TAUGHT | HALF | {"softening": 1.0},
            TAUGHT | HALF | {"softening": 2.0},
            TAUGHT | HALF | {"softening": 4.0},
            TAUGHT | BETWEEN | {"softening": 2.0},
            TAUGHT | BETWEEN | {"softening": 4.0},
            TAUGHT | FULL | {"softening": 2.0},
            TAUGHT | FULL | {"softening": 4.0},
        ],
    },
    "box": {
        "hidden": (1024, 1024, 512),
        "epochs": 100,
        "batch": 256,
        "folds": 3,
        "norm": True,
        "members": [
            WIDE | {"silu": 1.0, "smoothing": 0.0},
            WIDE | {"silu": 1.0, "smoothing": 0.0, "rate": 0.003},
            WIDE | {"silu": 1.0},
            WIDE | {"silu": 1.0, "smoothing": 0.01},
            WIDE | {"silu": 1.0, "smoothing": 0.0, "stroke": 0.4},
            WIDE | {"silu": 1.0, "smoothing": 0.0, "form": 1.0},
            {"silu": 1.0, "smoothing": 0.0, "rate": 0.003},
            {"silu": 1.0, "smoothing": 0.01, "rate": 0.003},
        ],
    },
    "taught": {
        "hidden": (128, 64),
        "epochs": 295,
        "batch": 256,
        "folds": 3,
        "norm": False,
        "teachers": ("box", (0, 6)),
        "members": [
            TAUGHT | HALF | {"taught": 0.0},
            TAUGHT | BETWEEN | {"taught": 0.0},
            TAUGHT | HALF | {"taught": 0.0, "silu": 1.0},
            TAUGHT | HALF | {"softening": 1.5},
            TAUGHT | BETWEEN | {"softening": 1.0},
            TAUGHT | BETWEEN | {"softening": 1.5},
            TAUGHT | BETWEEN | {"softening": 2.0},
            TAUGHT | BETWEEN | {"softening": 1.5, "silu": 1.0},
            TAUGHT | BETWEEN | {"softening": 1.5, "rate": 0.008},
            TAUGHT | BETWEEN | {"softening": 1.5, "rate": 0.002},
            TAUGHT | BETWEEN | {"softening": 1.5, "decay": 0.01},
            TAUGHT | BETWEEN | {"softening": 1.5, "silu": 1.0, "rate": 0.008},
        ],
    },
}


def pack(path: str) -> None:
    """The training set in one file that can be copied to where the card is."""
    from skdigits.datasets import fetch_mnist

    X, y = fetch_mnist(subset="train", return_X_y=True)
    np.savez_compressed(path, X=X, y=y.astype(np.uint8))


def folds(n_rows: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training and validation rows of each fold."""
    parts = np.array_split(np.random.default_rng(0).permutation(n_rows), N_FOLDS)
    return [
        (np.sort(np.concatenate(parts[:i] + parts[i + 1 :])), np.sort(parts[i]))
        for i in range(N_FOLDS)
    ]


def resample(images: Any, x: Any, y: Any) -> Any:
    """Images at points between their pixels, 0 around them."""
    import jax.numpy as jnp

    n, width = len(images), SIDE + 2
    padded = jnp.pad(images.reshape(n, SIDE, SIDE), ((0, 0), (1, 1), (1, 1))).reshape(n, -1)
    low, top = -1 + 1e-3, SIDE - 1e-3
    x, y = jnp.clip(x, low, top), jnp.clip(y, low, top)
    left, upper = jnp.floor(x), jnp.floor(y)
    wx, wy = x - left, y - upper
    index = (upper.astype(int) + 1) * width + left.astype(int) + 1
    corner = [
        jnp.take_along_axis(padded, index + step, axis=1) for step in (0, 1, width, width + 1)
    ]
    above = corner[0] + wx * (corner[1] - corner[0])
    below = corner[2] + wx * (corner[3] - corner[2])
    return above + wy * (below - above)


def grid() -> tuple[Any, Any]:
    """Column and row of each pixel from the middle."""
    down, right = np.divmod(np.arange(SIDE**2, dtype=np.float32), np.float32(SIDE))
    return right - (SIDE - 1) / 2, down - (SIDE - 1) / 2


def deform(images: Any, key: Any, m: dict[str, Any], stroke: bool) -> Any:
    """Each image deformed in its own way."""
    import jax
    import jax.numpy as jnp

    n, c = len(images), (SIDE - 1) / 2
    random = jax.random.uniform(key, (n, N_RANDOM), minval=-1.0, maxval=1.0)
    if stroke:
        square = images.reshape(n, SIDE, SIDE)
        padded = jnp.pad(square, ((0, 0), (1, 1), (1, 1)))
        around = [square, padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]]
        around += [padded[:, 1:-1, :-2], padded[:, 1:-1, 2:]]
        change = (m["stroke"] * random[:, 6])[:, None, None]
        target = jnp.where(change > 0, jnp.max(jnp.stack(around), 0), jnp.min(jnp.stack(around), 0))
        images = (square + jnp.abs(change) * (target - square)).reshape(n, -1)
    dx, dy = grid()
    column = [random[:, i : i + 1] for i in range(6)]
    angle = jnp.deg2rad(m["rotation"]) * column[0]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    wide = (1 + m["scale"] * column[1]) * dx + m["shear"] * column[3] * dy
    high = (1 + m["scale"] * column[2]) * dy
    x = cos * wide - sin * high + c + m["shift"] * SIDE * column[4]
    y = sin * wide + cos * high + c + m["shift"] * SIDE * column[5]
    size = m["elastic"] * SIDE * 3**0.5
    basis = displacement_basis(SIDE)
    x = x + size * (random[:, 7 : 7 + GRID**2] @ basis)
    y = y + size * (random[:, 7 + GRID**2 :] @ basis)
    return resample(images, x, y)


def upright(images: Any, *, width: bool) -> Any:
    """Images sheared until their digit stands upright, and made as wide as the average one."""
    import jax.numpy as jnp

    dx, dy = grid()
    total = images.sum(axis=1, keepdims=True) + 1e-6
    mx, my = (images @ dx)[:, None] / total, (images @ dy)[:, None] / total
    vyy = (images * (dy - my) ** 2).sum(1, keepdims=True) / total + 1e-6
    vxy = (images * (dx - mx) * (dy - my)).sum(1, keepdims=True) / total
    slant = vxy / vyy
    vxx = (images * (dx - mx) ** 2).sum(1, keepdims=True) / total - slant * vxy
    stretch = jnp.clip(jnp.sqrt(vxx + 1e-6) / 3.2, 0.8, 1.3) if width else 1.0
    c = (SIDE - 1) / 2
    return resample(images, stretch * dx + mx + slant * (dy - my) + c, dy + 0 * mx + c)


def forms(X: np.ndarray) -> Any:
    """The images as they are, upright, and upright and equally wide."""
    import jax
    import jax.numpy as jnp

    X = jnp.asarray(X, jnp.float32) / 255
    parts = jnp.split(X, 20)
    ways = [jax.jit(partial(upright, width=width)) for width in (False, True)]
    return jnp.stack([X, *(jnp.concatenate([way(part) for part in parts]) for way in ways)])


def initial(widths: tuple[int, ...], norm: bool, key: Any) -> dict[str, Any]:
    """Glorot-uniform weights, with the moving statistics of batch normalisation."""
    import jax
    import jax.numpy as jnp

    network: dict[str, Any] = {"w": [], "b": [], "gamma": [], "beta": [], "mean": [], "var": []}
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        limit = (6 / (n_in + n_out)) ** 0.5
        shape = (n_in, n_out)
        network["w"].append(
            jax.random.uniform(jax.random.fold_in(key, i), shape, minval=-limit, maxval=limit)
        )
        network["b"].append(jnp.zeros(n_out))
        if norm and i < len(widths) - 2:
            for name, value in (("gamma", 1.0), ("beta", 0.0), ("mean", 0.0), ("var", 1.0)):
                network[name].append(jnp.full(n_out, value, jnp.float32))
    return network


def forward(
    network: dict[str, Any], h: Any, m: dict[str, Any], norm: bool, training: bool = False
) -> tuple[Any, list[Any]]:
    """Logits, and in training the statistics of the batch."""
    import jax
    import jax.numpy as jnp

    statistics = []
    for i, (w, b) in enumerate(zip(network["w"], network["b"], strict=True)):
        h = h @ w + b
        if i == len(network["w"]) - 1:
            return h, statistics
        if norm:
            mean, var = network["mean"][i], network["var"][i]
            if training:
                mean, var = h.mean(0), h.var(0)
                statistics.append((mean, var))
            h = (h - mean) * jax.lax.rsqrt(var + BN_EPSILON)
            h = h * network["gamma"][i] + network["beta"][i]
        h = jnp.where(m["silu"] > 0, jax.nn.silu(h), jax.nn.relu(h))
    raise AssertionError


def learning_rate(m: dict[str, Any], step: Any, n_steps: int) -> Any:
    """Warm-up, then half a cosine to 0."""
    import jax.numpy as jnp

    done = (step + 1) / n_steps
    floor = jnp.where(m["warm_up"] > 0.1, 1 / 25, 0.0)
    rising = floor + (1 - floor) * done / m["warm_up"]
    falling = 0.5 * (1 + jnp.cos(jnp.pi * (done - m["warm_up"] - 1 / n_steps) / (1 - m["warm_up"])))
    return m["rate"] * jnp.where(done <= m["warm_up"], rising, falling)


def train_step(state: Any, x: Any, y: Any, m: Any, teacher: Any, key: Any, static: Any) -> Any:
    """One step of AdamW on a batch, and of the average of the weights."""
    import jax
    import jax.numpy as jnp

    norm, n_steps, stroke = static
    network, moment, square, average, step = state
    x = deform(x, key, m, stroke)
    targets = jax.nn.one_hot(y, 10) * (1 - m["smoothing"]) + m["smoothing"] / 10
    softening = 1.0
    if teacher is not None:
        told, _ = forward(teacher[0], x, teacher[1], True)
        softening = jnp.where(m["taught"] > 0, m["softening"], 1.0)
        targets = jnp.where(m["taught"] > 0, jax.nn.softmax(told / softening), targets)

    def loss(network: Any) -> Any:
        logits, statistics = forward(network, x, m, norm, training=True)
        surprise = -(targets * jax.nn.log_softmax(logits / softening)).sum(1).mean()
        return softening**2 * surprise, statistics

    gradient, statistics = jax.grad(loss, has_aux=True)(network)
    t = step + 1.0
    rate = learning_rate(m, step, n_steps)
    moment = jax.tree.map(lambda a, g: B1 * a + (1 - B1) * g, moment, gradient)
    square = jax.tree.map(lambda a, g: B2 * a + (1 - B2) * g * g, square, gradient)
    size = rate * jnp.sqrt(1 - B2**t) / (1 - B1**t)
    trained = jax.tree.map(
        lambda w, a, s: w * (1 - rate * m["decay"]) - size * a / (jnp.sqrt(s) + EPSILON),
        network,
        moment,
        square,
    )
    for i, (mean, var) in enumerate(statistics):
        trained["mean"][i] = BN_MOMENTUM * network["mean"][i] + (1 - BN_MOMENTUM) * mean
        trained["var"][i] = BN_MOMENTUM * network["var"][i] + (1 - BN_MOMENTUM) * var
    decay = jnp.minimum(EMA, (1 + t) / (10 + t))
    average = jax.tree.map(lambda a, w: decay * a + (1 - decay) * w, average, trained)
    return trained, moment, square, average, step + 1


def run(group: dict[str, Any], X: Any, y: Any, taught: Any) -> tuple[Any, Any]:
    """Train all members of a group side by side; gives the averages of their weights.

    Leading axes: groups (a fold, or a fold with a teacher), then candidates.
    """
    import jax
    import jax.numpy as jnp

    pairs = [rows for rows, _ in folds(len(y))[: group["folds"]]]
    n_sets = len(pairs) if taught is None else len(taught[1]["rate"])
    rows = jnp.asarray(np.array([pairs[i % len(pairs)] for i in range(n_sets)]))
    members = [MEMBER | changes for changes in group["members"]]
    m = {name: jnp.array([float(member[name]) for member in members]) for name in MEMBER}
    widths, batch = (X.shape[-1], *group["hidden"], 10), group["batch"]
    per_epoch = rows.shape[1] // batch
    static = (group["norm"], per_epoch * group["epochs"], bool(m["stroke"].any()))

    def start(key: Any) -> Any:
        network = initial(widths, group["norm"], key)
        zeros = jax.tree.map(jnp.zeros_like, network)
        state = (network, zeros, zeros, network, jnp.float32(0))
        # Buffers that are given away can't be shared.
        return jax.tree.map(jnp.copy, state)

    def epoch(state: Any, key: Any, rows: Any, m: Any, teacher: Any) -> Any:
        order = jax.random.permutation(jax.random.fold_in(key, 0), rows)
        order = order[: per_epoch * batch].reshape(per_epoch, batch)

        def step(state: Any, chosen: Any) -> tuple[Any, None]:
            own = jax.random.fold_in(key, state[-1].astype(int) + 1)
            x = X[m["form"].astype(int), chosen]
            return train_step(state, x, y[chosen], m, teacher, own, static), None

        return jax.lax.scan(step, state, order)[0]

    shape = (n_sets, len(members))
    keys = jax.random.split(jax.random.key(0), shape)
    state = jax.tree.map(jnp.copy, jax.jit(jax.vmap(jax.vmap(start)))(keys))
    inner = jax.vmap(epoch, in_axes=(0, 0, None, 0, None))
    outer = jax.vmap(inner, in_axes=(0, 0, 0, None, None if taught is None else 0))
    call = jax.jit(outer, donate_argnums=0)
    for i in range(group["epochs"]):
        own = jax.vmap(jax.vmap(lambda key, i=i: jax.random.fold_in(key, i)))(keys)
        state = call(state, own, rows, m, taught)
    return jax.block_until_ready(state[3]), m


def scores(averages: Any, m: Any, group: dict[str, Any], X: Any, y: Any, share: float = 0.0) -> Any:
    """Logits for the validation rows of each fold: folds, candidates, rows, classes.

    With a share, logarithms of the mean probabilities over 16 views, which are deformed so much of
    what training deforms by, strokes left as they are.
    """
    import jax
    import jax.numpy as jnp

    pairs = [held for _, held in folds(len(y))[: group["folds"]]]
    n_sets = averages["b"][0].shape[0]
    rows = jnp.asarray(np.array([pairs[i % len(pairs)] for i in range(n_sets)]))

    def one(network: Any, rows: Any, m: Any) -> Any:
        x = X[m["form"].astype(int), rows]
        if not share:
            return forward(network, x, m, group["norm"])[0]
        less = m | {name: share * m[name] for name in RANGES}

        def view(total: Any, key: Any) -> tuple[Any, None]:
            logits = forward(network, deform(x, key, less, False), m, group["norm"])[0]
            return total + jax.nn.softmax(1.5 * logits), None

        keys = jax.random.split(jax.random.key(1), 16)
        return jnp.log(jax.lax.scan(view, jnp.zeros((len(rows), 10)), keys)[0] + 1e-9)

    inner = jax.vmap(one, in_axes=(0, None, 0))
    logits = jax.jit(lambda *a: jax.lax.map(lambda each: inner(*each, m), a))(averages, rows)
    return np.asarray(logits), np.asarray(y)[np.asarray(rows)]


def search(names: list[str], file: Path, results: list[dict[str, Any]]) -> None:
    """Train the groups one after the other."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_default_matmul_precision", "tensorfloat32")
    digits = np.load(file)
    X, y = forms(digits["X"]), jnp.asarray(digits["y"], jnp.int32)
    kept: dict[str, Any] = {}
    for name in names:
        group, taught = GROUPS[name], None
        if "teachers" in group:
            of, members = group["teachers"]
            taught = teachers(*kept[of], members, group["folds"])
        begin = time.perf_counter()
        kept[name] = averages, m = run(group, X, y, taught)
        seconds = time.perf_counter() - begin
        found = dict(group) | {
            "group": name,
            "seconds": seconds,
            "jax": jax.__version__,
            "device": jax.devices()[0].device_kind,
            "date": datetime.date.today().isoformat(),
        }
        for views, share in SHARES.items():
            if share == 0 or taught is None:
                logits, labels = scores(averages, m, group, X, y, share)
                found[views] = (logits.argmax(-1) != labels[:, None]).sum(-1).tolist()
        results[:] = [r for r in results if r["group"] != name] + [found]
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        table([found])


def teachers(networks: Any, m: Any, members: tuple[int, ...], n_folds: int) -> tuple[Any, Any]:
    """For each set the network to learn from: all folds with the first one, then the next."""
    import jax
    import jax.numpy as jnp

    chosen = np.array(members)
    of_folds = jax.tree.map(lambda a: jnp.concatenate([a[:n_folds, i] for i in chosen]), networks)
    return of_folds, {name: jnp.repeat(values[chosen], n_folds) for name, values in m.items()}


def table(results: list[dict[str, Any]]) -> None:
    """Errors of each candidate, summed over the folds, in a column for each teacher."""
    for found in results:
        n_folds = found["folds"]
        wrong = {
            name: np.array(found[name]).reshape(-1, n_folds, len(found["members"])).sum(1)
            for name in SHARES
            if name in found
        }
        layers = "-".join(map(str, (784, *found["hidden"], 10)))
        lessons = ""
        if "teachers" in found:
            of, members = found["teachers"]
            lessons = f", taught by candidates {' and '.join(str(i + 1) for i in members)} of {of}"
        print(
            f"{found['group']}: {layers}, {found['epochs']} epochs{lessons}\n"
            f"errors of {n_folds * 10_000:,}: " + ", ".join(wrong)
        )
        for i, member in enumerate(found["members"]):
            errors = "".join(f"{n:6}" for counts in wrong.values() for n in counts[:, i])
            print(f"{errors}   {brief(member)}")
        print()


def brief(member: dict[str, float]) -> str:
    """What a candidate changes of `MEMBER`, in few words."""
    ranges = {name: (MEMBER | member)[name] for name in RANGES}
    (deformation,) = [
        name for name, named in NAMED.items() if named | {"stroke": ranges["stroke"]} == ranges
    ]
    words = [f"deformation {deformation}"]
    words += [f"{k}={v:g}" for k, v in member.items() if k not in RANGES and MEMBER[k] != v]
    if member.get("taught") and MEMBER["softening"] == member["softening"]:
        words.append(f"softening={member['softening']:g}")
    if ranges["stroke"] != NAMED[deformation]["stroke"]:
        words.append(f"stroke={ranges['stroke']:g}")
    return ", ".join(words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", metavar="NAME", help=", ".join(GROUPS))
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    if arguments.names[0] == "data":
        pack(arguments.names[1])
    elif arguments.names[0] == "table":
        table(results)
    else:
        search(arguments.names, arguments.data, results)


if __name__ == "__main__":
    main()
