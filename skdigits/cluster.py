"""Searches on a Dask cluster whose workers may die.

``joblib.parallel_config(backend="dask")`` alone runs any search of scikit-learn's on a Dask
cluster. What is here is for long ones.
"""

from __future__ import annotations

import warnings
from typing import Any

__all__ = ["DurableClient"]


class DurableClient:
    """A Dask client for joblib whose data outlive the worker that holds them.

    joblib hands the arrays of a search to one worker each, from which the others fetch them. With
    that worker they are lost, and with them the search: it hangs or raises a CancelledError. Here
    each array is the result of a task, which Dask repeats elsewhere when the worker that holds it
    is gone. The scheduler keeps a copy of the arrays for that; they are sent to it once.

    Parameters
    ----------
    client : distributed.Client
        Everything but `scatter` is left to it.

    Notes
    -----
    Dask gives up a task that was running on four workers when they died, one more than its setting
    ``distributed.scheduler.allowed-failures``.

    Examples
    --------
    >>> import joblib
    >>> from dask.distributed import Client  # doctest: +SKIP
    >>> client = Client("tcp://scheduler:8786")  # doctest: +SKIP
    >>> with joblib.parallel_config("dask", client=DurableClient(client)):  # doctest: +SKIP
    ...     search.fit(X, y)
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def scatter(self, data: Any, *, asynchronous: bool = False, **options: Any) -> Any:
        """Futures of arrays, as joblib asks for them.

        Parameters
        ----------
        data : list, or with `asynchronous` one object
            What tasks will need.
        asynchronous : bool, default=False
            Whether to return an awaitable.
        **options
            Those of `distributed.Client.scatter`, which say which workers get a copy. Here each
            one fetches it when it needs it.

        Returns
        -------
        list of distributed.Future, or an awaitable of one
            The data's futures.
        """
        if asynchronous:
            return self._awaitable(data)
        return [self._kept(item) for item in data]

    async def _awaitable(self, data: Any) -> Any:
        return self._kept(data)

    def _kept(self, data: Any) -> Any:
        with warnings.catch_warnings():
            # Of data that are sent with a task: here they are the task.
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self._client.submit(_same, data, pure=False)


def _same(data: Any) -> Any:
    return data
