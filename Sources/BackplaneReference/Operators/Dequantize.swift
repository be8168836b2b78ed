import BackplaneCore

/// y = decode(x), in f32, then rounded to y's format.
struct Dequantize: ReferenceOperator {
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?] { [call.exact(call.input(0).values())] }
}
