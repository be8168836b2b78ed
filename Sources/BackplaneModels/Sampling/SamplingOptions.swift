/// How the next token is chosen from a model's logits.
///
/// Filters see the model's own distribution, in the order top-k, top-p, min-p; temperature then reshapes what they leave.
public struct SamplingOptions: Hashable, Sendable {
  /// 0: always the likeliest token. 1: the model's own distribution. More: flatter.
  public var temperature: Double
  /// Keep this many of the likeliest tokens; 0 keeps all.
  public var topK: Int
  /// Keep the likeliest tokens whose probabilities reach this sum together; 1 keeps all.
  public var topP: Double
  /// Keep tokens at least this probable, as a fraction of the likeliest one's probability; 0 keeps all.
  public var minP: Double
  /// The same seed, logits and options give the same tokens on every machine.
  public var seed: UInt64

  public init(temperature: Double = 0, topK: Int = 0, topP: Double = 1, minP: Double = 0, seed: UInt64 = 0) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.seed = seed
  }

  public static let greedy = SamplingOptions()

  /// - Throws: `BackplaneError` (invalid) for a value that means nothing.
  func check() throws(BackplaneError) {
    func require(_ holds: Bool, _ name: String, _ value: Any, _ wanted: String) throws(BackplaneError) {
      if !holds { throw BackplaneError(.invalid, "sampling: \(name) is \(value)", hint: "\(wanted)") }
    }
    try require(temperature >= 0 && temperature.isFinite, "temperature", temperature, "0 or more; 0 is greedy")
    try require(topK >= 0, "top-k", topK, "0 or more; 0 keeps all tokens")
    try require(topP > 0 && topP <= 1, "top-p", topP, "above 0, at most 1; 1 keeps all tokens")
    try require(minP >= 0 && minP <= 1, "min-p", minP, "0 to 1; 0 keeps all tokens")
  }
}
