import BackplaneModels

let tokenizeCommand = Command(
  name: "tokenize", summary: "Turn text into a model's token ids",
  positionals: ["MODEL.gguf"],
  options: [
    Option("text", "TEXT", "what to tokenize (required)"), Option("special", nil, "recognise special tokens in the text"),
    Option("no-bos", nil, "add no beginning-of-sequence token"), SharedOptions.json,
  ]
) { arguments in
  guard let text = arguments["text"] else { throw UsageError("tokenize needs --text TEXT") }
  let tokenizer = try Tokenizer(GGUFFile(path: arguments.positionals[0]))
  let ids = tokenizer.encode(text, addSpecial: !arguments.has("no-bos"), parseSpecial: arguments.has("special"))
  let pieces = ids.map { String(decoding: tokenizer.bytes(of: $0, special: true), as: UTF8.self) }
  if arguments.has("json") {
    print(try Terminal.json(["token_ids": ids.map(Int.init), "pieces": pieces]))
  } else {
    for (id, piece) in zip(ids, pieces) { print("\(padLeft("\(id)", 7))  \(piece.debugDescription)") }
  }
  return .success
}
