"""Torch classifiers: their scores as predictions, and maps as modules behind them.

`collect` runs a model over a loader and gives `Predictions` to fit a map to; `CalibratedModule` puts the map behind the
model; `module` makes a module of the map alone. They need torch (``pip install 'calibrant[torch]'``).
"""

from calibrant.torch.collecting import collect
from calibrant.torch.modules import CalibratedModule, module

__all__ = ["CalibratedModule", "collect", "module"]
