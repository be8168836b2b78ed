import Backplane
import BackplaneCHeader
import BackplaneModels

@c @implementation public func bp_generator_create(_ runtime: bp_runtime?, _ model: bp_model?, _ options: UnsafePointer<bp_compile_options>?,
                                                   _ generator: UnsafeMutablePointer<bp_generator?>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let generator = try place(generator, "generator")
    let runtime = try HandleTable.shared.object(runtime, "runtime", as: RuntimeObject.self).runtime
    let language = try ModelObject.object(model).requiredLanguage()
    let made = try TextGenerator(language, on: runtime, options: compileOptions(options, runtime))
    generator.pointee = try HandleTable.shared.insert(GeneratorObject(made))
    return BP_OK
  }
}

@c @implementation public func bp_generate(_ generator: bp_generator?, _ prompt: UnsafePointer<CChar>?, _ options: UnsafePointer<bp_generate_options>?,
                                           _ receive: bp_text_fn?, _ user: UnsafeMutableRawPointer?, _ result: UnsafeMutablePointer<bp_generation>?,
                                           _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let object = try GeneratorObject.object(generator)
    let prompt = try text(prompt, "prompt")
    try object.turnstile.pass("generator") {
      try object.begin(prompt, options)
      while let piece = try object.peek() {
        object.take()
        let answer = piece.text.withCString { receive?(user, $0, piece.text.utf8.count, piece.token ?? -1) ?? 0 }
        if answer != 0 { object.stop() }
      }
      if let result { try write(record(of: object), to: result, "result") }
    }
    return BP_OK
  }
}

private func record(of object: GeneratorObject) -> bp_generation {
  var record = bp_generation()
  let generation = object.result
  record.ending = object.ending
  (record.prompt_tokens, record.tokens) = (Int64(generation.promptTokenCount), Int64(generation.tokens.count))
  (record.prompt_ns, record.decode_ns) = (generation.promptNanoseconds, generation.decodeNanoseconds)
  return record
}

@c @implementation public func bp_generator_begin(_ generator: bp_generator?, _ prompt: UnsafePointer<CChar>?, _ options: UnsafePointer<bp_generate_options>?,
                                                  _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let object = try GeneratorObject.object(generator)
    let prompt = try text(prompt, "prompt")
    try object.turnstile.pass("generator") { try object.begin(prompt, options) }
    return BP_OK
  }
}

@c @implementation public func bp_generator_next(_ generator: bp_generator?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int, _ needed: UnsafeMutablePointer<Int>?,
                                                 _ token: UnsafeMutablePointer<Int32>?, _ ending: UnsafeMutablePointer<Int32>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let object = try GeneratorObject.object(generator)
    return try object.turnstile.pass("generator") {
      let piece = try object.peek()
      let status = try give(piece?.text ?? "", buffer, capacity, needed)
      guard status == BP_OK else { return status }
      object.take()
      token?.pointee = piece?.token ?? -1
      ending?.pointee = piece == nil ? object.ending : BP_END_NONE
      return BP_OK
    }
  }
}

@c @implementation public func bp_generator_reset(_ generator: bp_generator?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let object = try GeneratorObject.object(generator)
    try object.turnstile.pass("generator") { try object.reset() }
    return BP_OK
  }
}

@c @implementation public func bp_generator_compiled(_ generator: bp_generator?, _ compiled: UnsafeMutablePointer<bp_compiled?>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let object = try GeneratorObject.object(generator)
    let compiled = try place(compiled, "compiled")
    try object.turnstile.pass("generator") { compiled.pointee = try HandleTable.shared.insert(CompiledObject(object.compiled, object.constants())) }
    return BP_OK
  }
}
