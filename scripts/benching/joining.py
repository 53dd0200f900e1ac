"""How a process of the bench joins the Ray cluster of a shop, as a driver.

Such a process does nothing else: one that has joined a cluster cannot be without it
again.
"""

import logging
import os

from scripts.auditing.place import Place
from scripts.launcher.keys import RAY_TOKEN


def environment(place: Place) -> dict[str, str]:
    """What such a process must find in its environment."""
    return {
        **os.environ,
        **place.settings.export(),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(place.settings.data_dir / RAY_TOKEN),
    }


def join(address: str) -> None:
    """Join the cluster at this address."""
    import ray  # noqa: PLC0415 - it reads the environment when it is imported

    from scripts.launcher.cluster import NAMESPACE  # noqa: PLC0415

    ray.init(
        address=address,
        namespace=NAMESPACE,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
