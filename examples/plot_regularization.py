"""
How to prevent overfitting?
===========================

A large network overfits a small training set. This example compares dropout, an L2 penalty and
early stopping.
"""

from sklearn.model_selection import train_test_split

from skdigits import DigitANNClassifier
from skdigits.datasets import load_mnist_sample
from skdigits.displays import TrainingCurveDisplay

X, y = load_mnist_sample(subset="train", return_X_y=True)
X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(
    X, y, train_size=1000, test_size=1000, random_state=0, stratify=y
)
print(f"{len(X_train):,} digits to train, {len(X_val):,} to validate, {len(X_test):,} to test")

# %%
# uint8 rows are scaled inside the network, so no pipeline is needed. The learning rate is constant
# and there is no label smoothing.

plain = {
    "hidden_layer_sizes": (256, 128),
    "label_smoothing": 0.0,
    "learning_rate": 0.001,
    "learning_rate_schedule": "constant",
    "batch_size": 64,
    "epochs": 40,
    "random_state": 0,
}
settings = {
    "no regularization": {},
    "dropout 0.5": {"dropout": 0.5},
    "L2 0.001": {"l2": 0.001},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 5},
}
models = {}
for name, setting in settings.items():
    model = DigitANNClassifier(**plain, **setting)
    models[name] = model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    print(
        f"{name:18} epochs {model.n_iter_:3}, best {model.best_epoch_:3}; "
        f"training {model.score(X_train, y_train):7.2%}, "
        f"validation {model.score(X_val, y_val):.2%}, test {model.score(X_test, y_test):.2%}"
    )

# %%
# The loss shows overfitting more clearly than the accuracy. Without regularization the training
# loss (dashed) approaches 0 and the validation loss (solid) rises. Dropout and L2 reduce the gap.
# Early stopping restores the weights of the best epoch, which is marked with a dot. With L2 the
# penalty is part of the loss.

display = TrainingCurveDisplay.from_estimator(models)
display.ax_[0].set_ylim(0, 1.2)
_ = display.ax_[1].set_ylim(0.8, 1.01)

# %%
# Early stopping with a held-out set
# ----------------------------------
#
# Without ``X_val`` early stopping holds out a stratified share of the training rows,
# ``validation_fraction``, as ``MLPClassifier`` does.

stopped = DigitANNClassifier(**plain | {"epochs": 200}, early_stopping=True).fit(X_train, y_train)
print(f"Stopped after {stopped.n_iter_} of 200 epochs, since {stopped.n_iter_no_change} of them")
print(f"brought no more than {max(stopped.validation_scores_):.1%} of the held-back rows right")
