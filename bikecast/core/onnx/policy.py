"""Which operators an ONNX model may use: this project's policy, because Microsoft documents none.

No operator on these lists reads a file, reaches a network, runs code that the model brings along,
gives random numbers or loops without a bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ONNX, ONNX_ML, MICROSOFT = "", "ai.onnx.ml", "com.microsoft"


@dataclass(frozen=True)
class OperatorPolicy:
    """Allowed operators by domain; those of `with_subgraphs` may hold graphs, which are checked."""

    operators: Mapping[str, frozenset[str]]
    with_subgraphs: frozenset[str] = frozenset()

    def allows(self, domain: str, operator: str) -> bool:
        """Whether an operator of a domain may be used; ONNX's own domain has two names."""
        return operator in self.operators.get("" if domain == "ai.onnx" else domain, ())


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: What this project's exporters write.
EXPORTED = OperatorPolicy(
    {
        ONNX: _names(
            "Abs Add And Cast Clip Concat Constant Div Equal Erf Exp Expm1 Floor Gather Gemm "
            "Identity IsNaN Less Log MatMul Max Min Mul Neg Not Or Pow Relu Reshape Sigmoid Sqrt "
            "Squeeze Sub Sum Tanh Transpose Unsqueeze Where"
        ),
        ONNX_ML: _names(
            "ArrayFeatureExtractor CategoryMapper Imputer LabelEncoder LinearRegressor Normalizer "
            "OneHotEncoder SVMRegressor Scaler TreeEnsembleRegressor"
        ),
    }
)
#: What other trainers write for models of tables: Azure AutoML's converter, skl2onnx, onnxmltools.
#: skl2onnx writes Tokenizer for words, MurmurHash3 for hashed ones, CDist and Scan for neighbours.
TRAINED_ELSEWHERE = OperatorPolicy(
    {
        ONNX: EXPORTED.operators[ONNX]
        | _names(
            "ArgMax ArgMin BatchNormalization CastLike Ceil Compress ConstantOfShape CumSum Einsum "
            "Elu Expand EyeLike Flatten GatherElements GatherND Greater GreaterOrEqual "
            "HardSigmoid If IsInf LayerNormalization LeakyRelu LessOrEqual LogSoftmax "
            "LpNormalization Mean Mod NonZero OneHot PRelu Pad Range Reciprocal ReduceL1 ReduceL2 "
            "ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
            "ReduceSumSquare Round Scan ScatterElements ScatterND Selu Shape Sign Sin Cos Size "
            "Slice Softmax Softplus Softsign Split StringConcat StringNormalizer Tan "
            "TfIdfVectorizer ThresholdedRelu Tile TopK Xor"
        ),
        ONNX_ML: EXPORTED.operators[ONNX_ML]
        | _names(
            "Binarizer FeatureVectorizer LinearClassifier SVMClassifier TreeEnsemble "
            "TreeEnsembleClassifier"
        ),
        MICROSOFT: _names("CDist MurmurHash3 Tokenizer"),
    },
    with_subgraphs=_names("If Scan"),
)
