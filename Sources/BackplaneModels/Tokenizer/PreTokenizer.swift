/// Divides a text into the words that byte-level BPE never merges across.
///
/// Each case does what a published regular expression says (given beside it), by hand: a general engine is slow here, and `\p{…}`
/// must mean Unicode's categories on every platform.
enum PreTokenizer: Sendable {
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  case gpt2
  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,n}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
  case llama3(longestNumber: Int)
  /// `\p{N}`, then ``gpt2`` between.
  case smollm
  /// `[\p{P}$+<=>^~|]+`, then ``gpt2`` within and between, then `\p{N}+`, then `[0-9]{3}`.
  case generic

  /// By the name in `tokenizer.ggml.pre`; nil when it is not known.
  init?(name: String) {
    switch name {
    case "default": self = .generic
    case "gpt-2": self = .gpt2
    case "llama3", "llama-v3", "llama-bpe": self = .llama3(longestNumber: 3)
    case "qwen2", "deepseek-r1-qwen": self = .llama3(longestNumber: 1)
    case "smollm": self = .smollm
    default: return nil
    }
  }
  static let names = ["default", "gpt-2", "llama3", "llama-v3", "llama-bpe", "qwen2", "deepseek-r1-qwen", "smollm"]

  /// Hands over the words of UTF-8 text as byte ranges, first to last.
  func forEachWord(_ text: UnsafeRawBufferPointer, _ body: (Range<Int>) -> Void) {
    let scalars = ClassifiedText(text)
    var start = 0
    func emit(_ end: Int) {
      body(Int(scalars.offsets[start])..<Int(scalars.offsets[end]))
      start = end
    }
    switch self {
    case .gpt2: scalars.scan(0..<scalars.count, scalars.gpt2, emit)
    case .llama3(let longest): scalars.scan(0..<scalars.count, { scalars.llama3($0, $1, longest) }, emit)
    case .smollm:
      scalars.scan(0..<scalars.count, { scalars.split($0, $1) { $0 & .number != [] } longest: { _ in 1 } }) { end in
        scalars.scan(start..<end, scalars.gpt2, emit)
      }
    case .generic:
      var outer = 0
      scalars.scan(0..<scalars.count, { scalars.split($0, $1) { $0 & .mark != [] } longest: { _ in .max } }) { end in
        scalars.scan(outer..<end, scalars.gpt2) { word in
          // A word of gpt2 has at most one run of digits; [0-9]{3} applies to the ASCII ones.
          scalars.scan(start..<word, { scalars.split($0, $1) { $0 & .number != [] } longest: { _ in .max } }) { run in
            scalars.scan(start..<run, scalars.threeDigits, emit)
          }
        }
        outer = end
      }
    }
  }
}
