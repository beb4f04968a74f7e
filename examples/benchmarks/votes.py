"""Whether networks that see deskewed digits and others make a better committee together.

    python examples/benchmarks/votes.py

Four networks of the preset "fast" are trained on 50,000 rows of MNIST's training set as they are,
four on deskewed ones. Four of the eight vote on the other 10,000 rows, in every combination; what
is printed are the mean errors for each number of voters that see deskewed digits.
"""

from __future__ import annotations

import argparse
import warnings
from collections import defaultdict
from itertools import combinations

import numpy as np
from _results import print_table
from choose_recipes import validation_split

from skdigits import make_reference_classifier
from skdigits.preprocessing import DigitDeskewer

N_VOTERS = 4


def main() -> None:
    warnings.simplefilter("ignore")
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    X_train, X_val, y_train, y_val = validation_split("mnist_784")
    deskewer = DigitDeskewer().fit(X_train)
    # Whether digits are deskewed, and the probabilities, of each network.
    voters: list[tuple[bool, np.ndarray]] = []
    for seed in range(N_VOTERS):
        model = make_reference_classifier("fast", random_state=seed)
        voters.append((False, model.fit(X_train, y_train).predict_proba(X_val)))
        model.fit(deskewer.transform(X_train), y_train)
        voters.append((True, model.predict_proba(deskewer.transform(X_val))))
    labels = model.classes_
    rows = []
    for n_voters in (1, N_VOTERS):
        counts = defaultdict(list)
        for chosen in combinations(voters, n_voters):
            mean = np.mean([probabilities for _, probabilities in chosen], axis=0)
            wrong = int((labels[mean.argmax(axis=1)] != y_val).sum())
            counts[sum(deskewed for deskewed, _ in chosen)].append(wrong)
        for n_deskewed, wrong in sorted(counts.items()):
            figures = [f"{np.mean(wrong):.1f}", f"{min(wrong)}", f"{max(wrong)}"]
            rows.append([f"{n_deskewed} of {n_voters}", *figures])
    header = ["networks on deskewed digits", f"mean errors of {len(y_val):,}", "fewest", "most"]
    print_table(header, rows, "votes")


if __name__ == "__main__":
    main()
