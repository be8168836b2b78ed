import Backplane
import BackplaneCHeader
import BackplaneModels

@c @implementation public func bp_model_create(_ model: UnsafeMutablePointer<bp_model?>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let model = try place(model, "model")
    model.pointee = try HandleTable.shared.insert(ModelObject())
    return BP_OK
  }
}

@c @implementation public func bp_model_load(_ path: UnsafePointer<CChar>?, _ given: UnsafePointer<bp_load_options>?, _ model: UnsafeMutablePointer<bp_model?>?,
                                             _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let model = try place(model, "model")
    let path = try text(path, "path")
    let options = try modelOptions(options(given, bp_load_options(), "options"))
    let object: ModelObject
    if GraphFile.isGraphFile(path) {
      let file = try GraphFile(path: path)
      object = ModelObject(graph: file.graph, constants: file.constants)
    } else {
      let language = try LanguageModel(path: path, options: options)
      object = ModelObject(graph: language.graph, constants: try language.constantSources(), language: language)
    }
    model.pointee = try HandleTable.shared.insert(object)
    return BP_OK
  }
}

private func modelOptions(_ given: bp_load_options) throws(BackplaneError) -> LanguageModel.Options {
  var options = LanguageModel.Options()
  options.numerics = try numericsClass(given.numerics)
  if given.context_length != 0 { options.contextLength = Int(given.context_length) }
  if given.maximum_tokens != 0 { options.maximumTokens = Int(given.maximum_tokens) }
  if let name = given.cache_format {
    let format = try format(name)
    guard [.f16, .f32, .bf16, .q8_0, .q4_0].contains(format) else {
      throw BackplaneError(.invalid, "options->cache_format is \(format)", hint: "f16, f32, bf16, q8_0 and q4_0 are possible")
    }
    options.cacheFormat = format
  }
  return options
}

@c @implementation public func bp_model_save(_ model: bp_model?, _ path: UnsafePointer<CChar>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let contents = try ModelObject.object(model).snapshot
    try GraphFile(graph: contents.graph, constants: contents.constants).write(to: text(path, "path"))
    return BP_OK
  }
}

@c @implementation public func bp_model_describe(_ model: bp_model?, _ json: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?,
                                                 _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let contents = try ModelObject.object(model).snapshot
    return try give(GraphFile(graph: contents.graph, constants: contents.constants).header(), json, capacity, needed)
  }
}

@c @implementation public func bp_model_symbol(_ model: bp_model?, _ name: UnsafePointer<CChar>?, _ lower: Int64, _ upper: Int64, _ symbol: UnsafeMutablePointer<UInt32>?,
                                               _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let (model, name, symbol) = (try ModelObject.object(model), try text(name, "name"), try place(symbol, "symbol"))
    guard lower >= 0, lower <= upper else { throw BackplaneError(.invalid, "the bounds of symbol \(name) are \(lower)…\(upper)", hint: "0 <= lower <= upper") }
    symbol.pointee = try model.build { (contents) throws(BackplaneError) in
      let made = contents.builder.symbol(name, Int(lower)...Int(upper))
      contents.symbols.append(made)
      return made.number
    }
    return BP_OK
  }
}

/// What inputs, states and constants have in common.
private func add(_ model: bp_model?, _ name: UnsafePointer<CChar>?, _ formatName: UnsafePointer<CChar>?, _ rank: UInt32, _ extents: UnsafePointer<Int64>?,
                 _ tensor: UnsafeMutablePointer<UInt32>?,
                 _ make: (inout ModelObject.Contents, String, ElementFormat, Shape) throws(BackplaneError) -> TensorID) throws -> Int32 {
  let (model, name, tensor) = (try ModelObject.object(model), try text(name, "name"), try place(tensor, "tensor"))
  let format = try format(formatName)
  tensor.pointee = try model.build { (contents) throws(BackplaneError) in
    UInt32(try make(&contents, name, format, contents.shape(rank, extents)).index)
  }
  return BP_OK
}

@c @implementation public func bp_model_input(_ model: bp_model?, _ name: UnsafePointer<CChar>?, _ format: UnsafePointer<CChar>?, _ rank: UInt32,
                                              _ extents: UnsafePointer<Int64>?, _ tensor: UnsafeMutablePointer<UInt32>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    try add(model, name, format, rank, extents, tensor) { (contents, name, format, shape) throws(BackplaneError) in contents.builder.input(name, format, shape) }
  }
}

@c @implementation public func bp_model_state(_ model: bp_model?, _ name: UnsafePointer<CChar>?, _ format: UnsafePointer<CChar>?, _ rank: UInt32,
                                              _ extents: UnsafePointer<Int64>?, _ tensor: UnsafeMutablePointer<UInt32>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    try add(model, name, format, rank, extents, tensor) { (contents, name, format, shape) throws(BackplaneError) in contents.builder.state(name, format, shape) }
  }
}

@c @implementation public func bp_model_constant(_ model: bp_model?, _ name: UnsafePointer<CChar>?, _ format: UnsafePointer<CChar>?, _ rank: UInt32,
                                                 _ extents: UnsafePointer<Int64>?, _ pointer: UnsafeRawPointer?, _ byteCount: Int, _ release: bp_release_fn?,
                                                 _ user: UnsafeMutableRawPointer?, _ tensor: UnsafeMutablePointer<UInt32>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  let borrowed = release.map { BorrowedMemory(pointer, $0, user) }
  return answer(failure) {
    let given = try bytes(pointer, byteCount, "bytes")
    return try add(model, name, format, rank, extents, tensor) { (contents, name, format, shape) throws(BackplaneError) in
      let wanted = shape.isFixed ? TensorDescription(name: name, format: format, shape: shape, role: .constant).maximumBytes : nil
      guard let wanted else {
        throw BackplaneError(.invalid, "constant \(name)\(shape) of \(format) has no size", hint: "fixed extents, the last one whole blocks of \(format.blockElements)")
      }
      guard wanted == given.count else { throw BackplaneError(.invalid, "constant \(name)\(shape) of \(format) has \(wanted) bytes, \(given.count) were given") }
      let id = contents.builder.constant(name, format, shape)
      contents.constants[id] = borrowed.map { ConstantSource(given, owner: $0) } ?? ConstantSource(Array(given))
      return id
    }
  }
}

@c @implementation public func bp_model_apply(_ model: bp_model?, _ op: UnsafePointer<CChar>?, _ inputs: UnsafePointer<UInt32>?, _ inputCount: UInt32,
                                              _ attributes: UnsafePointer<CChar>?, _ name: UnsafePointer<CChar>?, _ flags: UInt32,
                                              _ outputs: UnsafeMutablePointer<UInt32>?, _ outputCount: UInt32, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let (model, op) = (try ModelObject.object(model), try text(op, "op"))
    let given = try array(inputs, inputCount, "inputs")
    _ = try array(outputs.map { UnsafePointer($0) }, outputCount, "outputs")
    let name = try name.map { try text($0, "name") }
    let values = try attributes.map { try attributeList($0, op) } ?? []
    let made = try model.build { (contents) throws(BackplaneError) in
      var ids: [TensorID?] = []
      for number in given { ids.append(number == BP_NO_TENSOR ? nil : try contents.tensor(number, "an input")) }
      return try contents.builder.apply(op, ids, values, name: name, optionalOutputs: optionalOutputs(of: op, outputCount), updatingStates: flags & BP_APPLY_KEEP_STATES == 0)
    }
    for (i, id) in made.prefix(Int(outputCount)).enumerated() { outputs![i] = id.map { UInt32($0.index) } ?? BP_NO_TENSOR }
    return BP_OK
  }
}

private func attributeList(_ json: UnsafePointer<CChar>, _ op: String) throws(BackplaneError) -> [Attribute] {
  do throws(BackplaneError) {
    return try Attribute.list(JSON.parse(text(json, "attributes")), op)
  } catch {
    throw BackplaneError(.invalid, "attributes of \(op): \(error.message)", hint: "a JSON object such as {\"axis\": 1}")
  }
}

/// The optional outputs among the first `count`.
private func optionalOutputs(of op: String, _ count: UInt32) throws(BackplaneError) -> Set<String> {
  guard let spec = OperatorSpec.named(op) else { return [] }  // `apply` says so
  guard count <= spec.outputs.count, spec.outputs.dropFirst(Int(count)).allSatisfy(\.isOptional) else {
    throw BackplaneError(.invalid, "there is room for \(count) outputs of \(op), which has \(spec.outputs.map { $0.name + ($0.isOptional ? " (optional)" : "") }.joined(separator: ", "))")
  }
  return Set(spec.outputs.prefix(Int(count)).filter(\.isOptional).map(\.name))
}

@c @implementation public func bp_model_numerics(_ model: bp_model?, _ numerics: UInt32, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let numerics = try numericsClass(numerics)
    try ModelObject.object(model).build { (contents) throws(BackplaneError) in contents.builder.numerics = numerics }
    return BP_OK
  }
}

@c @implementation public func bp_model_output(_ model: bp_model?, _ tensor: UInt32, _ name: UnsafePointer<CChar>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let name = try name.map { try text($0, "name") }
    try ModelObject.object(model).build { (contents) throws(BackplaneError) in
      contents.builder.output(try contents.tensor(tensor, "tensor"), name: name)
    }
    return BP_OK
  }
}

@c @implementation public func bp_model_tensor(_ model: bp_model?, _ name: UnsafePointer<CChar>?, _ tensor: UnsafeMutablePointer<UInt32>?,
                                               _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let (graph, name, tensor) = (try ModelObject.object(model).snapshot.graph, try text(name, "name"), try place(tensor, "tensor"))
    guard let index = graph.tensors.firstIndex(where: { $0.name == name }) else {
      let known = (graph.inputs + graph.outputs).prefix(12).map { graph[$0].name }.joined(separator: ", ")
      throw BackplaneError(.invalid, "no tensor is called \"\(name)\"", hint: known.isEmpty ? "the graph has neither inputs nor outputs yet" : "inputs and outputs: \(known)")
    }
    tensor.pointee = UInt32(index)
    return BP_OK
  }
}

@c @implementation public func bp_model_symbol_number(_ model: bp_model?, _ name: UnsafePointer<CChar>?, _ symbol: UnsafeMutablePointer<UInt32>?,
                                                      _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let (symbols, name, symbol) = (try ModelObject.object(model).snapshot.symbols, try text(name, "name"), try place(symbol, "symbol"))
    guard let found = symbols.first(where: { $0.name == name }) else {
      throw BackplaneError(.invalid, "no symbol is called \"\(name)\"", hint: symbols.isEmpty ? "there are none" : "there are \(symbols.map(\.name).joined(separator: ", "))")
    }
    symbol.pointee = found.number
    return BP_OK
  }
}

@c @implementation public func bp_model_tokenize(_ model: bp_model?, _ string: UnsafePointer<CChar>?, _ tokens: UnsafeMutablePointer<Int32>?, _ capacity: Int,
                                                 _ needed: UnsafeMutablePointer<Int>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let (language, string) = (try ModelObject.object(model).requiredLanguage(), try text(string, "text"))
    guard tokens != nil || capacity == 0, tokens != nil || needed != nil else { throw BackplaneError(.invalid, "tokens is NULL: there is nowhere to put the result") }
    let ids = language.tokenizer.encode(string)
    needed?.pointee = ids.count
    guard let tokens, UInt(bitPattern: capacity) >= UInt(ids.count) else { return ids.isEmpty ? BP_OK : BP_MORE }
    for (i, id) in ids.enumerated() { tokens[i] = id }
    return BP_OK
  }
}
