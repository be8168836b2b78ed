import Backplane

/// What a text is generated with.
public struct TextOptions: Hashable, Sendable {
  public var maximumTokens = 128
  public var sampling = SamplingOptions.greedy
  /// Go on after what the cache holds instead of forgetting it.
  public var continues = false
  /// Texts of control tokens, such as those of a chat template, are the tokens. Only for text you wrote yourself.
  public var parsesSpecial = false

  public init(maximumTokens: Int = 128, sampling: SamplingOptions = .greedy, continues: Bool = false, parsesSpecial: Bool = false) {
    (self.maximumTokens, self.sampling, self.continues, self.parsesSpecial) = (maximumTokens, sampling, continues, parsesSpecial)
  }
}

/// A token and the text that it completes, which may be empty: characters may take several tokens.
public struct TextPiece: Hashable, Sendable {
  /// Nil for what is left at the end: the beginning of a character that never came to its end, as U+FFFD.
  public var token: Int32?
  public var text: String
}

/// ``GenerationSteps`` with text in and out.
public struct TextSteps {
  private var steps: GenerationSteps
  private var stream = UTF8Stream()
  private let tokenizer: Tokenizer

  public var result: Generation { steps.result }

  /// - Throws: `BackplaneError` (invalid): options that mean nothing, or a prompt without a token.
  public init(_ generator: TextGenerator, after prompt: String, _ options: TextOptions = TextOptions()) throws(BackplaneError) {
    let sampler = try Sampler(options.sampling)
    guard options.maximumTokens >= 0 else { throw BackplaneError(.invalid, "\(options.maximumTokens) tokens are wanted") }
    guard prompt.utf8.count < 1 << 26 else { throw BackplaneError(.invalid, "the prompt has \(prompt.utf8.count) bytes", hint: "64 MiB are possible") }
    if !options.continues { try generator.reset() }
    tokenizer = generator.model.tokenizer
    let tokens = tokenizer.encode(prompt, addSpecial: generator.past == 0, parseSpecial: options.parsesSpecial)
    guard !tokens.isEmpty else { throw BackplaneError(.invalid, "the prompt is empty, and the model has no token for the beginning of a text") }
    steps = GenerationSteps(generator, from: tokens, count: options.maximumTokens, sampler: sampler)
  }

  /// The next piece; nil at the end.
  ///
  /// - Throws: `BackplaneError`: what ``GenerationSteps/next(cancellation:)`` says.
  public mutating func next(cancellation: CancellationToken? = nil) throws(BackplaneError) -> TextPiece? {
    if let token = try steps.next(cancellation: cancellation) { return TextPiece(token: token, text: stream.append(tokenizer.bytes(of: token))) }
    let rest = stream.finish()
    return rest.isEmpty ? nil : TextPiece(token: nil, text: rest)
  }

  public mutating func stop() { steps.stop() }
}
