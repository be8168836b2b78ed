import Backplane

/// A language model as a graph: what to bind, where each weight's bytes lie, and the tokenizer.
///
/// One graph serves prompt and decode. A run gives `tokens` new tokens with their absolute positions; `kv` is the number of cached tokens
/// after the run (past + tokens); `outputs` rows of logits come back. A value; any thread.
public struct LanguageModel: Sendable {
  /// Bounds that the graph is built for.
  public struct Options: Sendable, Hashable {
    /// Most tokens of one run; longer prompts go in chunks.
    public var maximumTokens = 512
    /// Most tokens in the cache; nil: the model's own limit, 4096 at most.
    public var contextLength: Int?
    /// Most rows of logits of one run.
    public var maximumOutputs = 1
    /// Element format of the key and value caches: f16, f32, bf16, q8_0 or q4_0.
    public var cacheFormat: ElementFormat = .f16
    public var numerics: Numerics = .standard
    public init() {}
  }

  /// Where a constant's bytes are.
  public enum Source: Sendable, Hashable {
    /// A range of the model file.
    case file(offset: Int, byteCount: Int)
    /// Small computed tables.
    case memory([UInt8])
  }

  public let file: GGUFFile
  public let configuration: ModelConfiguration
  public let tokenizer: Tokenizer
  public let options: Options
  public let graph: Graph
  /// New tokens of a run, cached tokens after it, rows of logits wanted.
  public let tokens, kv, outputs: Symbol
  /// Inputs: i32[tokens] ids, i32[tokens] absolute positions, i32[outputs] rows whose logits are wanted.
  public let tokenIDs, positions, outputRows: TensorID
  /// Output: f32[outputs, vocabulary].
  public let logits: TensorID
  public let sources: [TensorID: Source]

  public var contextLength: Int { kv.bounds.upperBound }

  /// Reads a GGUF file's metadata and builds the graph; weights are only mapped.
  ///
  /// - Throws: `BackplaneError` naming what is wrong with the file, with values.
  public init(path: String, options: Options = Options()) throws(BackplaneError) {
    try self.init(GGUFFile(path: path), options: options)
  }

  public init(_ file: GGUFFile, options: Options = Options()) throws(BackplaneError) {
    try options.check()
    let configuration = try ModelConfiguration(file)
    tokenizer = try Tokenizer(file)
    guard tokenizer.vocabulary.count == configuration.vocabularySize else {
      throw BackplaneError(.file, "the vocabulary has \(tokenizer.vocabulary.count) tokens, token_embd.weight has \(configuration.vocabularySize) rows",
                           subject: file.path, hint: "convert the model again with a current converter")
    }
    var maker = TransformerGraph(file, configuration, options)
    let made = try maker.build()
    self.file = file
    self.configuration = configuration
    self.options = options
    graph = maker.builder.graph
    sources = maker.sources
    (tokens, kv, outputs) = (maker.tokens, maker.kv, maker.outputs)
    (tokenIDs, positions, outputRows, logits) = made
  }

  /// The bytes of a constant. Valid while this value lives.
  ///
  /// - Precondition: `id` is a constant of the graph.
  public func withBytes<R>(of id: TensorID, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    switch sources[id]! {
    case .file(let offset, let count): try body(file.bytes(at: offset, count: count))
    case .memory(let bytes): try bytes.withUnsafeBytes(body)
    }
  }
}

extension LanguageModel.Options {
  /// - Throws: `BackplaneError` (invalid) for a bound below 1.
  func check() throws(BackplaneError) {
    for (name, value) in [("maximumTokens", maximumTokens), ("contextLength", contextLength ?? 1), ("maximumOutputs", maximumOutputs)] {
      guard (1...Int(Int32.max)).contains(value) else { throw BackplaneError(.invalid, "\(name) is \(value)", hint: "1 to \(Int32.max) is possible") }
    }
  }
}
