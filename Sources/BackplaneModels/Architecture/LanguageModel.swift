/// A decoder-only language model, ready to be compiled: one graph for prompts and for single tokens, and where its weights lie.
///
/// A run gives `tokens` token numbers with their positions and asks for the logits of `outputs` of them. Keys and values go
/// into the caches at `positions`, and attention sees the first `kv` rows: kv = (tokens before) + tokens, at every run.
public struct LanguageModel: Sendable {
  public struct Options: Hashable, Sendable {
    /// Tokens in one run.
    public var maximumTokens = 512
    /// Tokens that the caches hold; nil: as many as the model was trained for, up to 4096.
    public var contextCapacity: Int?
    /// Rows of logits in one run.
    public var maximumOutputs = 1
    /// f16, f32, bf16, q8_0 or q4_0.
    public var cacheFormat = ElementFormat.f16
    /// Use fused operators; otherwise fusing is left to the runtime.
    public var fused = false
    public var numerics = Numerics.standard

    public init() {}
  }

  public struct Symbols: Hashable, Sendable {
    public let tokens: Symbol
    public let kv: Symbol
    public let outputs: Symbol
  }

  public struct Inputs: Hashable, Sendable {
    /// i32 [tokens].
    public let tokenIDs: TensorID
    /// i32 [tokens]: where in the text, counted from 0, and so where in the caches.
    public let positions: TensorID
    /// i32 [outputs]: which of this run's tokens the logits are wanted of, counted from 0.
    public let outputRows: TensorID
  }

  /// The state of one layer: [kv, key heads, head size] each.
  public struct Cache: Hashable, Sendable {
    public let keys: TensorID
    public let values: TensorID
  }

  public let file: GGUFFile
  public let options: Options
  public let configuration: ModelConfiguration
  public let tokenizer: Tokenizer
  public let graph: Graph
  public let symbols: Symbols
  public let inputs: Inputs
  /// f32 [outputs, vocabulary].
  public let logits: TensorID
  public let caches: [Cache]
  /// Of every constant of the graph.
  public let constants: [TensorID: ConstantSource]

  /// Opens a model file and builds its graph. No weight is read.
  ///
  /// - Throws: ``BackplaneError``: (file) for a file that is broken or contradicts itself, (unsupported) for models that we have no
  ///   graph for, (invalid) for options that mean nothing.
  public init(path: String, options: Options = Options()) throws(BackplaneError) {
    try self.init(GGUFFile(path: path), options: options)
  }

  public init(_ file: GGUFFile, options: Options = Options()) throws(BackplaneError) {
    let configuration = try ModelConfiguration(file)
    let options = try options.completed(configuration)
    var decoder = DecoderGraph(file, configuration, options)
    try decoder.build()
    self.file = file
    self.options = options
    self.configuration = configuration
    tokenizer = try Tokenizer(file)
    graph = decoder.builder.graph
    symbols = decoder.symbols
    inputs = decoder.inputs
    logits = decoder.logits
    caches = decoder.caches
    constants = decoder.weights.sources
  }

  /// Gives `body` the bytes of a constant, in the mapped file where they lie there.
  ///
  /// A file's bytes stay valid while ``file`` lives; computed bytes for the call only.
  public func withConstant<R>(_ id: TensorID, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    switch constants[id] {
    case .file(let offset, let count): try body(file.bytes(at: offset, count: count))
    case .computed(let bytes): try bytes.withUnsafeBytes(body)
    case nil: preconditionFailure("tensor \(id.index) is no constant of this model")
    }
  }
}

extension LanguageModel.Options {
  /// With the capacity filled in, and no symbol able to exceed what another allows.
  func completed(_ configuration: ModelConfiguration) throws(BackplaneError) -> LanguageModel.Options {
    var options = self
    let capacity = contextCapacity ?? min(configuration.contextLength, 4096)
    for (name, value) in [("context capacity", capacity), ("tokens in a run", maximumTokens), ("outputs in a run", maximumOutputs)] {
      guard (1...Int(Int32.max)).contains(value) else {
        throw BackplaneError(.invalid, "\(name): \(value)", hint: "1 to \(Int32.max) is possible")
      }
    }
    options.contextCapacity = capacity
    options.maximumTokens = min(maximumTokens, capacity)
    options.maximumOutputs = min(maximumOutputs, options.maximumTokens)
    return options
  }
}
