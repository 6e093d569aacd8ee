"""From fitted models to one ONNX graph: one function a family, plain ONNX operators."""
