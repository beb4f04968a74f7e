"""
Regularisation and early stopping
=================================

A large network on few digits learns them by heart. Three remedies that cost one parameter each:
dropout, an L2 penalty, and stopping when validation gets no better.
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
# Rows of uint8 are scaled inside, so no pipeline is needed here. A constant learning rate and no
# label smoothing, as in textbooks:

plain = {
    "hidden_layer_sizes": (256, 128),
    "label_smoothing": 0.0,
    "learning_rate": 0.001,
    "learning_rate_schedule": "constant",
    "batch_size": 64,
    "epochs": 40,
    "random_state": 0,
}
remedies = {
    "nothing": {},
    "dropout 0.5": {"dropout": 0.5},
    "L2 0.001": {"l2": 0.001},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 5},
}
models = {}
for name, remedy in remedies.items():
    model = DigitANNClassifier(**plain, **remedy)
    models[name] = model.fit(X_train, y_train, X_val=X_val, y_val=y_val)
    print(
        f"{name:16} epochs {model.n_iter_:3}, best {model.best_epoch_:3}; "
        f"training {model.score(X_train, y_train):7.2%}, "
        f"validation {model.score(X_val, y_val):.2%}, test {model.score(X_test, y_test):.2%}"
    )

# %%
# Loss shows it best. Without a remedy the training loss (dashed) goes to nothing and the validation
# loss (solid) turns upwards: the network gets surer of its mistakes. Dropout and L2 hold it back;
# early stopping keeps the weights of the best epoch, marked with a dot. With L2 the penalty is a
# part of the loss. Accuracy tells less: it counts mistakes, not how sure of them the network is.

display = TrainingCurveDisplay.from_estimator(models)
display.ax_[0].set_ylim(0, 1.2)
_ = display.ax_[1].set_ylim(0.8, 1.01)

# %%
# Early stopping by itself
# ------------------------
#
# Without ``X_val`` it holds a stratified share of the training rows back, ``validation_fraction``,
# as ``MLPClassifier`` does.

stopped = DigitANNClassifier(**plain | {"epochs": 200}, early_stopping=True).fit(X_train, y_train)
print(f"Stopped after {stopped.n_iter_} of 200 epochs, since {stopped.n_iter_no_change} of them")
print(f"brought no more than {max(stopped.validation_scores_):.1%} of the held-back rows right")
