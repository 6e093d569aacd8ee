"""The embedded AutoML: a detached process that searches a portfolio and exports one ONNX graph."""
