/// What a model is: its family, its sizes, and what each layer does. Read from a GGUF file's metadata and checked.
public struct ModelConfiguration: Hashable, Sendable {
  /// Families of decoders whose graphs we can build; raw values are those of `general.architecture`.
  public enum Family: String, CaseIterable, Sendable { case gemma3, llama, qwen2, qwen3 }

  /// How positions turn the heads of a layer.
  public struct Rope: Hashable, Sendable {
    /// Elements of a head that are turned; even.
    public var dimensions: Int
    public var base: Double
    /// Positions are divided by this (linear scaling); 1 for none.
    public var factor: Double
    /// Multiplies turned elements.
    public var scale: Double
    /// Pairs are neighbours (2i, 2i+1) instead of halves (i, i + dimensions/2).
    public var isInterleaved: Bool
  }

  public struct Layer: Hashable, Sendable {
    public var heads: Int
    public var keyHeads: Int
    public var keySize: Int
    public var valueSize: Int
    public var feedForward: Int
    /// Keys a query sees, itself included; 0 all.
    public var window: Int
    public var rope: Rope
  }

  public var family: Family
  public var name: String?
  public var vocabularySize: Int
  /// Tokens that the model was trained to see at once.
  public var contextLength: Int
  public var embeddingSize: Int
  public var layers: [Layer]
  /// Of every RMS norm.
  public var epsilon: Double
  /// Multiplies token embeddings.
  public var embeddingScale: Double
  /// Multiplies attention scores; 0 means 1/sqrt(key size).
  public var attentionScale: Double
  /// Logits become c · tanh(logit / c); 0 for none.
  public var logitSoftcap: Double
}

extension ModelConfiguration.Family {
  /// Queries and keys are normalised, head by head, before they are turned.
  var normalizesHeads: Bool { self == .gemma3 || self == .qwen3 }
  /// What attention and feed-forward give is normalised before it is added.
  var normalizesResults: Bool { self == .gemma3 }
  var activation: String { self == .gemma3 ? "geglu_tanh" : "swiglu" }
  /// Llama's converters permute the rows of Q and K so that pairs are neighbours.
  var ropeIsInterleaved: Bool { self == .llama }
}
