/// Chooses tokens from logits.
///
/// Each draw takes one number from ``Philox`` under the options' seed; the token is found by running sums of probability in order of
/// token number. A value: copy it to try a continuation twice.
///
/// - Complexity: O(n) a token for n logits; nothing sorts them all.
public struct Sampler: Sendable {
  public let options: SamplingOptions
  /// Random numbers used so far.
  public private(set) var drawn: UInt64
  private let random: Philox

  /// - Parameter drawn: Where in the seed's sequence to go on.
  /// - Throws: `BackplaneError` (invalid) for options that mean nothing.
  public init(_ options: SamplingOptions = .greedy, drawn: UInt64 = 0) throws(BackplaneError) {
    try options.check()
    self.options = options
    self.drawn = drawn
    random = Philox(key: options.seed)
  }

  /// The next token.
  ///
  /// - Throws: `BackplaneError` (invalid) when there is no logit, one is NaN, or all are -infinity.
  public mutating func next(_ logits: [Float]) throws(BackplaneError) -> Int32 {
    let result = logits.withUnsafeBufferPointer { buffer in Result { () throws(BackplaneError) in try next(buffer) } }
    return try result.get()
  }

  /// The next token.
  ///
  /// - Throws: `BackplaneError` (invalid) when there is no logit, one is NaN, or all are -infinity.
  public mutating func next(_ logits: UnsafeBufferPointer<Float>) throws(BackplaneError) -> Int32 {
    let best = try Sampler.likeliest(logits)
    // An infinite logit leaves nothing to chance.
    if options.temperature == 0 || options.topK == 1 || logits[best] == .infinity { return Int32(best) }
    let u = random.uniform(drawn)
    drawn += 1
    let distribution = Distribution(logits: logits, maximum: logits[best], options: options)
    return Int32(distribution.token(at: u))
  }

  /// The index of the largest logit, the lowest of equal ones.
  static func likeliest(_ logits: UnsafeBufferPointer<Float>) throws(BackplaneError) -> Int {
    var best = -1
    var value = -Float.infinity
    var sawNaN = false
    var i = 0
    while i < logits.count {
      let x = logits[i]
      if x > value {
        value = x
        best = i
      }
      if x != x { sawNaN = true }
      i += 1
    }
    if sawNaN {
      let at = logits.firstIndex { $0.isNaN }!
      throw BackplaneError(.invalid, "logit \(at) of \(logits.count) is NaN", hint: "a kernel or a weight is wrong: run `backplane conform`")
    }
    if best < 0 {
      throw BackplaneError(.invalid, "none of \(logits.count) logits is above -infinity", hint: "the model's output was not computed")
    }
    return best
  }
}
