"""Maps as ONNX graphs, alone or behind a classifier's graph: the same probabilities wherever onnxruntime runs.

`export` writes a map as a model of its own; `attach` puts it behind the model of a classifier. Both need the package
onnx (``pip install 'calibrant[onnx]'``) to write, and no calibrant to run.
"""

from calibrant.onnx.attaching import attach
from calibrant.onnx.graphs import export

__all__ = ["attach", "export"]
