"""The scikit-learn classifier."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import check_is_fitted

from ._augmentation import Augmentation, side_of
from ._callbacks import EpochReporter, check_scikit_learn_callbacks, is_candidate
from ._fitted import fitted_attributes, summary_table, unchanged_on_failure
from ._jobs import fit_job, fitted_state, partial_fit_job, warn_of_result
from ._network import Array, Network, softmax
from ._parameters import (
    check_parameter,
    check_parameters,
    per_layer,
    settings_from,
)
from ._training import train
from ._validation import (
    labels_to_score,
    needs_no_validation,
    rows_to_predict,
    training_data,
    validation_rows,
    warn_if_scaled_after_bytes,
)


class DigitANNClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Dense neural network for handwritten digits, trained by Keras.

    Fully connected layers between the pixels and a softmax over the classes, trained on the
    cross-entropy in mini-batches. Training runs in Keras, compiled epoch by epoch; predictions
    need NumPy alone. It is not limited to digits: X may be any table of numbers, y any labels.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default=(512, 256)
        Width of each hidden layer; ``()`` is multinomial logistic regression.
    activation : str, default="relu"
        Activation of the hidden layers: "relu", "leaky_relu", "elu", "selu", "gelu", "silu"
        (or "swish"), "tanh", "sigmoid" (or "logistic"), "softplus", "softsign" or "linear" (or
        "identity").
    dropout : float or tuple of float, default=0.0
        Share of each hidden layer's outputs set to 0 in training [1]_, one number for all
        hidden layers or one per layer, in [0, 1).
    l2 : float or tuple of float, default=0.0
        Penalty ``l2 * sum(w**2)`` on the weights of the hidden layers that is added to the
        loss, one number or one per layer. scikit-learn divides its ``alpha`` by the number of
        rows and by 2.
    batch_norm : bool, default=False
        Batch normalisation [2]_ between each hidden layer and its activation.
    optimizer : str, class or instance, default="adam"
        A Keras optimizer by name, class or instance. Each fit makes a new optimizer from the
        configuration of an instance.
    optimizer_params : dict, default=None
        Options of the Keras optimizer, such as ``{"momentum": 0.9}``. Each can be set and
        searched as ``optimizer__momentum``.
    learning_rate : float, default=0.002
        Peak learning rate. None takes the default of the optimizer.
    learning_rate_schedule : {"constant", "cosine", "one_cycle"}, default="one_cycle"
        "cosine" rises to `learning_rate` over the first 5 % of the steps, "one_cycle" over the
        first 30 % [3]_; both then fall to 0 along half a cosine.
    batch_size : int or "auto", default="auto"
        Rows per step, at most the number of training rows; "auto" is 128.
    epochs : int or "auto", default="auto"
        Passes over the training rows. "auto" is 15, with `augmentation` 20. For small data
        sets it is as many as make 1,500 steps, at most 200 with hidden layers.
    label_smoothing : float, default=0.05
        Share of each target that is spread evenly over the classes [4]_, in [0, 1). It
        increases the accuracy; `temperature_` corrects the underconfidence it causes.
    augmentation : {"affine", "elastic"} or Augmentation, default=None
        Random deformation of each training image, drawn anew in each epoch: "affine" rotates,
        scales, shears and shifts it, "elastic" also bends it, an `Augmentation` gives the
        ranges. Rows must be square images whose pixels have one scale, as after PixelScaler or
        with uint8: after StandardScaler neighbouring pixels differ in scale and offset. Points
        outside of an image have the median value of the outermost pixels.
    weight_averaging : bool or float, default=False
        Predict with an exponential moving average of the weights, and of the statistics of
        batch normalisation, over the steps of training. A number is the decay per step; True
        is 0.998. The decay rises to that value over the first steps.
    input_blur : float, default=0.0
        Blur of images in predictions, not in training: the share of each pixel that goes to
        each of its two neighbours along an axis, at most 0.25. The interpolation of
        `augmentation` blurs training images by 1/12 on average; a large network that was
        trained long on them classifies images better that are about as smooth. Rows must be
        square images. The blur is multiplied into the weights of the first layer and takes no
        time. It can be changed after `fit`; validation curves, `best_epoch_` and
        `temperature_` belong to the blur during `fit`.
    early_stopping : bool, default=False
        Hold back a stratified share of the rows, stop after `n_iter_no_change` epochs without
        a better accuracy on it, and keep the weights of the best epoch; among equal ones that
        of the lowest loss. `X_val` in `fit` replaces the rows held back.
    validation_fraction : float, default=0.1
        Share of the rows that early stopping holds back.
    n_iter_no_change : int, default=10
        Epochs without improvement that early stopping waits for.
    class_weight : dict or "balanced", default=None
        Weight of each label, or weights inversely proportional to the class frequencies;
        multiplied by `sample_weight`. They also weight the rows that early stopping holds
        back.
    warm_start : bool, default=False
        Start `fit` from the weights of the previous fit, with a new optimizer.
    keras_callbacks : list of keras.callbacks.Callback, default=None
        Keras callbacks; each fit uses deep copies. A callback with batch hooks makes training
        slower, since its steps then run one by one. Callbacks see the weights themselves, not
        the averages of `weight_averaging`. `set_callbacks` takes scikit-learn's callbacks.
    random_state : int or numpy.random.RandomState, default=None
        Seed of initial weights, validation split, order of rows, dropout and deformation. An
        integer gives the same bits in each fit with the same number of threads and the same
        versions. Global random generators are neither used nor changed.
    verbose : bool or int, default=False
        Print one line per epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    n_features_in_ : int
        Number of features; 784 for images of 28 × 28.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had string column names.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer, read-only, of float64 after a fit on float64, else of float32.
        Normalisation, blur and temperature are not multiplied into them.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each layer.
    loss_curve_ : list of float
        Training loss of each epoch, penalties included.
    validation_loss_curve_ : list of float or None
        Loss of each epoch on validation data.
    validation_scores_ : list of float or None
        Accuracy of each epoch on validation data.
    history_ : dict of str to list of float
        Values of each epoch: "loss", "accuracy", "learning_rate" and, with validation data,
        "val_loss", "val_accuracy". Training values are means over the steps, with dropout, as
        in Keras.
    n_iter_ : int
        Epochs run.
    best_epoch_ : int
        Epoch, counted from 1, with the best validation accuracy, among equal ones that of the
        lowest loss; without validation data the last epoch.
    temperature_ : float
        Divisor of the last layer's outputs that makes the logits [5]_. It is fitted to
        validation rows where there are any, else computed from `label_smoothing`, which makes
        a network underconfident; without smoothing it is computed from the logits of at least
        100 training rows, since a network that has overfitted is overconfident. Otherwise,
        and without smoothing for deformed images or a teacher, it is 1.
    n_layers_ : int
        Number of layers, counting input and output.
    n_outputs_ : int
        Number of outputs, one per class.
    out_activation_ : str
        Always "softmax".

    See Also
    --------
    sklearn.neural_network.MLPClassifier : scikit-learn's own network.

    Notes
    -----
    X of dtype uint8, also in data frames, tables of pyarrow and tensors, holds pixels from 0 to
    255: rows stay uint8, each batch is divided by 255, and predictions take pixels from 0 to 255
    of any dtype. float64 X is computed in float64, every other dtype in float32. Images of shape
    (n_samples, height, width) or (n_samples, height, width, 1), as an array, a tensor or a list
    of arrays or PIL images, are flattened wherever X is accepted.

    Warnings name X that has another range than expected: whole numbers up to 255 that are not
    uint8 in `fit`, fractions up to 1 in predictions after a fit on uint8, and validation rows,
    later chunks or a warm start on another scale than the training rows.

    References
    ----------
    .. [1] N. Srivastava et al., "Dropout: a simple way to prevent neural networks from
       overfitting", JMLR 15, 2014.
    .. [2] S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015, arXiv 1502.03167.
    .. [3] L. N. Smith, N. Topin, "Super-convergence", 2018, arXiv 1708.07120.
    .. [4] C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR
       2016, arXiv 1512.00567.
    .. [5] C. Guo et al., "On calibration of modern neural networks", ICML 2017, arXiv
       1706.04599.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdigits import DigitANNClassifier, PixelScaler
    >>> from skdigits.datasets import load_mnist_sample
    >>> X, y = load_mnist_sample(subset="train", return_X_y=True)
    >>> X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
    >>> model = make_pipeline(PixelScaler(), DigitANNClassifier(random_state=0)).fit(X, y)
    >>> bool(model.score(X_test, y_test) > 0.93)
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: int | tuple[int, ...] = (512, 256),
        activation: str = "relu",
        *,
        dropout: float | tuple[float, ...] = 0.0,
        l2: float | tuple[float, ...] = 0.0,
        batch_norm: bool = False,
        optimizer: Any = "adam",
        optimizer_params: dict[str, Any] | None = None,
        learning_rate: float | None = 0.002,
        learning_rate_schedule: str = "one_cycle",
        batch_size: int | str = "auto",
        epochs: int | str = "auto",
        label_smoothing: float = 0.05,
        augmentation: Augmentation | str | None = None,
        weight_averaging: bool | float = False,
        input_blur: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        class_weight: dict[Any, float] | str | None = None,
        warm_start: bool = False,
        keras_callbacks: list[Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.l2 = l2
        self.batch_norm = batch_norm
        self.optimizer = optimizer
        self.optimizer_params = optimizer_params
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.batch_size = batch_size
        self.epochs = epochs
        self.label_smoothing = label_smoothing
        self.augmentation = augmentation
        self.weight_averaging = weight_averaging
        self.input_blur = input_blur
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.keras_callbacks = keras_callbacks
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        teacher: DigitANNClassifier | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> DigitANNClassifier:
        """Train on rows of pixels.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or images
            Training rows. uint8 means pixels from 0 to 255. Images are an array of shape
            (n_samples, height, width) or the like, see Notes.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, integers or strings; or one-hot rows, whose labels are 0, 1, ….
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, none negative. Rows of weight 0 are left out.
        X_val, y_val : array-likes like X and y, default=None
            Validation rows on the scale of X, for the curves and for early stopping in place
            of a split. In a Pipeline, ``transform_input=["X_val"]`` scales them like X.
        teacher : DigitANNClassifier, default=None
            A fitted classifier of the same classes, whose probabilities replace the labels
            [1]_. It predicts the rows that this network is trained on, after scaling and
            deformation. It is neither cloned nor stored.
        checkpoint : str or path-like, default=None
            File for the state of a long fit, written every few epochs in at most 2 % of the
            time. After a crash or Ctrl-C the same call resumes the fit and ends with the same
            bits as without an interruption, if the number of threads and the versions are the
            same. The file is removed when the fit ends. In a search of scikit-learn's, each
            candidate resumes from its own state. Not with `keras_callbacks`, whose state
            cannot be stored.

        Returns
        -------
        DigitANNClassifier
            Itself.

        Raises
        ------
        ValueError
            If a parameter or the data are not as expected, if training diverges in the first
            epochs, or if `checkpoint` is a file of another fit.
        OSError
            If `checkpoint` cannot be written.
        KeyboardInterrupt
            If the user interrupts the first epoch. Later, training ends with a warning and the
            weights of the last epoch. A fit that raises an exception changes no attribute.

        References
        ----------
        .. [1] L. Beyer et al., "Knowledge distillation: a good teacher is patient and consistent",
           CVPR 2022, arXiv 2106.05237.
        """
        params = self._checked_parameters()
        with unchanged_on_failure(self):
            data = training_data(self, X, y, sample_weight)
            settings = settings_from(params, len(data))
            validation = validation_rows(self, X_val, y_val, data)
            job, data = fit_job(
                self, settings, data, validation, teacher=teacher, checkpoint=checkpoint
            )
            epochs_done = job.checkpoint.state.epochs if job.checkpoint else 0
            context = self._init_callback_context(max_subtasks=settings.epochs - epochs_done)
            hook_kwargs = {"estimator": self, **data.hook_kwargs()}
            context.call_on_fit_task_begin(**hook_kwargs)
            extend = self.warm_start and "_network" in self.__dict__
            state = partial(fitted_state, estimator=self, job=job, data=data, extend=extend)
            if context._callbacks or settings.verbose:
                job.observer = EpochReporter(context, hook_kwargs, settings, state)
            job.candidate = is_candidate(context)
            result = train(job)
            if result.stopped == "interrupted" and job.candidate:
                # The search would rank a half trained network and continue.
                raise KeyboardInterrupt
            self._store(state(result), continues=extend)
            warn_of_result(self, result, job, stacklevel=3)
            context.call_on_fit_task_end(**hook_kwargs, reconstruction_attributes={})
        if job.checkpoint is not None and result.stopped != "interrupted":
            job.checkpoint.remove()
        return self

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> DigitANNClassifier:
        """Train for one pass over a chunk of rows, in their order, with the same optimizer.

        The learning rate is constant, since the number of chunks is not known. Callbacks are not
        called.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or images
            Rows of this chunk, as in `fit`.
        y : array-like of shape (n_samples,)
            Their labels.
        classes : array-like of shape (n_classes,), default=None
            The labels of all chunks; required in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        DigitANNClassifier
            Itself.

        Raises
        ------
        ValueError
            As in `fit`, and with early stopping or ``class_weight="balanced"``, which need all
            rows.
        """
        params = self._checked_parameters()
        for name, wrong in (("early_stopping", True), ("class_weight", "balanced")):
            if params[name] == wrong:
                raise ValueError(
                    f"Got {name}={wrong!r} in partial_fit, which sees one chunk at a time, "
                    f"expected it in fit alone."
                )
        with unchanged_on_failure(self):
            _check_partial_fit_first_call(self, classes)
            network = self.__dict__.get("_network")
            data = training_data(self, X, y, sample_weight, classes=self.classes_, network=network)
            job = partial_fit_job(self, settings_from(params, len(data)), data)
            result = train(job)
            extend = network is not None
            state = fitted_state(result, estimator=self, job=job, data=data, extend=extend)
            self._store(state, continues=extend)
            self._optimizer_state = result.state
            warn_of_result(self, result, job, stacklevel=2)
        return self

    @classmethod
    def from_keras(cls, model: Any, *, classes: Any = None) -> DigitANNClassifier:
        """Make a fitted classifier that predicts as a Keras model does.

        Parameters
        ----------
        model : keras.Sequential
            Dense layers with one of the activations of this class, then logits or a softmax.
            Flatten and Rescaling may precede them. Dropout may stand between them, and
            BatchNormalization after the activation, or before it in all layers or none.
        classes : array-like of shape (n_classes,), default=None
            Label of each output; None is 0, 1, ….

        Returns
        -------
        DigitANNClassifier
            Fitted, with the parameters of the model's layers. After a Rescaling by 1/255 it
            takes pixels from 0 to 255 as after a fit on uint8; other rescalings and
            normalisations after an activation are multiplied into the weights.

        Raises
        ------
        TypeError
            If `model` is no keras.Sequential.
        ValueError
            If it has other layers, which the error names, or `classes` do not fit its outputs.

        Examples
        --------
        >>> import keras
        >>> from skdigits import DigitANNClassifier
        >>> layers = [keras.layers.Dense(64, "relu", name="hidden"), keras.layers.Dense(10)]
        >>> DigitANNClassifier.from_keras(keras.Sequential([keras.Input((784,)), *layers]))
        DigitANNClassifier(hidden_layer_sizes=(64,))
        """
        from ._keras.from_keras import read_keras_model

        params, network, labels = read_keras_model(model, classes)
        estimator = cls(**params)
        history: dict[str, list[float]] = {"loss": [], "accuracy": [], "learning_rate": []}
        estimator.__dict__.update(fitted_attributes(network, labels, history, 0))
        estimator.n_features_in_ = network.n_features
        return estimator

    def predict(self, X: Any) -> Array:
        """Labels of rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or images
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)
            The most probable label of each row.
        """
        indices = self._logits(X).argmax(axis=1)
        return np.asarray(self.classes_[indices])

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or images
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns as in `classes_`; float64 where training was in float64, else float32.
        """
        return softmax(self._logits(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or images
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns as in `classes_`; -inf where a probability is 0.
        """
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    def decision_function(self, X: Any) -> Array:
        """Logits; with two classes the log-odds of the second.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or images
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) with two classes
            Larger means more probable.
        """
        logits = self._logits(X)
        if logits.shape[1] != 2:
            return logits
        # Odds beyond the largest number are infinite.
        with np.errstate(over="ignore"):
            return logits[:, 1] - logits[:, 0]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or images
            As in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            True labels, or one-hot rows.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Share of the rows whose label is right.
        """
        y_pred = self.predict(X)
        y_true = labels_to_score(y, self.classes_)
        return float(accuracy_score(y_true, y_pred, sample_weight=sample_weight))

    @property
    def keras_model_(self) -> Any:
        """A new Keras model at each access, which computes the same probabilities.

        Changes of it do not change the classifier. The access imports Keras.
        """
        check_is_fitted(self, "_network")
        from ._keras.conversion import keras_model

        return keras_model(self._predictor(), *self._dropout_and_l2())

    def summary(self) -> str:
        """Layers of the fitted network with their widths and numbers of parameters.

        Returns
        -------
        str
            A table to print.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before fit.

        Examples
        --------
        >>> import numpy as np
        >>> from skdigits import DigitANNClassifier
        >>> model = DigitANNClassifier((64, 32), dropout=(0.2, 0), epochs=1)
        >>> print(model.fit(np.eye(10), np.arange(10)).summary())
        layer             outputs    parameters
        input                  10             0
        dense, relu            64           704
        dropout 0.2            64             0
        dense, relu            32         2,080
        dense, softmax         10           330
        total                             3,114   0.0 MB as float64
        """
        check_is_fitted(self, "_network")
        return summary_table(self._predictor(), *self._dropout_and_l2())

    @property
    def coefs_(self) -> list[Array]:
        """Weights of each layer, read-only."""
        return list(self._fitted_network("coefs_").kernels)

    @property
    def intercepts_(self) -> list[Array]:
        """Biases of each layer, read-only."""
        return list(self._fitted_network("intercepts_").biases)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the entries of `optimizer_params` as ``optimizer__name``.

        Returns
        -------
        dict
            Parameter names and values.
        """
        params: dict[str, Any] = super().get_params(deep=False)
        if deep and isinstance(self.optimizer_params, dict):
            params |= {f"optimizer__{k}": v for k, v in self.optimizer_params.items()}
        return params

    def set_params(self, **params: Any) -> DigitANNClassifier:
        """Set parameters by name.

        Parameters
        ----------
        **params : dict
            Parameters; ``optimizer__name`` sets one entry of a new `optimizer_params`.

        Returns
        -------
        DigitANNClassifier
            Itself.
        """
        prefix = "optimizer__"
        options = {k.removeprefix(prefix): v for k, v in params.items() if k.startswith(prefix)}
        super().set_params(**{k: v for k, v in params.items() if not k.startswith(prefix)})
        if options:
            self.optimizer_params = {**(self.optimizer_params or {}), **options}
        if "input_blur" in params and "_network" in self.__dict__:
            # Once here instead of at each prediction, which raises the error.
            with suppress(ValueError):
                self._network = self._predictor()
        return self

    def set_callbacks(self, *callbacks: Any) -> DigitANNClassifier:
        """Set scikit-learn callbacks, such as ``sklearn.callback.ProgressBar()``.

        Parameters
        ----------
        *callbacks : callback instances
            scikit-learn callbacks. Their tasks are the fit and its epochs, fewer with early
            stopping. The `fitted_estimator` of a hook predicts as if the fit had stopped there,
            with `early_stopping` by the best weights so far. X and y are the training rows
            without those held back; X is a data frame where it was given as one.

        Returns
        -------
        DigitANNClassifier
            Itself.

        Raises
        ------
        TypeError
            If one is a Keras callback, which the parameter `keras_callbacks` takes.
        """
        check_scikit_learn_callbacks(callbacks)
        return super().set_callbacks(*callbacks)

    def _checked_parameters(self) -> dict[str, Any]:
        params = super().get_params(deep=False)
        check_parameters(params)
        return params

    def _store(self, state: dict[str, Any], *, continues: bool) -> None:
        """Replace the fitted attributes by those of a new training run."""
        for name in ("_optimizer_state", *([] if continues else ["_pretrained_learning_rate"])):
            self.__dict__.pop(name, None)
        self.__dict__.update(state)

    def _predictor(self) -> Network:
        """The fitted network with the current `input_blur`."""
        network: Network = vars(self)["_network"]
        blur = self.input_blur
        if network.blur == blur:
            return network
        check_parameter("input_blur", blur)
        if blur:
            side_of(network.n_features)
        # Predictions change nothing: threads may share an estimator.
        return replace(network, blur=float(blur))

    def _dropout_and_l2(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Parameters of the hidden layers that the network itself does not have."""
        n_hidden = len(self._network.kernels) - 1
        return per_layer("dropout", self.dropout, n_hidden), per_layer("l2", self.l2, n_hidden)

    def _fitted_network(self, name: str) -> Network:
        network: Network | None = self.__dict__.get("_network")
        if network is None:
            raise AttributeError(f"{type(self).__name__} has no {name} before fit.")
        return network

    def _logits(self, X: Any) -> Array:
        network = self._predictor() if "_network" in self.__dict__ else None
        if network is not None and needs_no_validation(self, X, network):
            logits = network.logits_of_finite(X)
            if logits is not None and np.isfinite(logits).all():
                warn_if_scaled_after_bytes(X, network, stacklevel=3)
                return logits
        check_is_fitted(self, "_network")
        assert network is not None
        X = rows_to_predict(self, X, network)
        warn_if_scaled_after_bytes(X, network, stacklevel=3)
        return network.finite_logits(X)

    def __dir__(self) -> list[str]:
        # scikit-learn evaluates each name for its HTML display: this one would import Keras.
        names = (name for name in object.__dir__(self) if name != "keras_model_")
        return [name for name in names if hasattr(self, name)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags
