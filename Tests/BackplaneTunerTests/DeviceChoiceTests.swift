import BackplaneABI
import BackplaneConformance
import BackplaneCore
import BackplaneRegistry
import BackplaneRuntime
import BackplaneSpecs
import Foundation
import Testing
import _TestSupport
@testable import BackplaneTuner

/// Choices as the CPU plugin takes them.
@Suite struct DeviceChoiceTests {
  private func device() throws -> Device {
    try Device(try PluginInstance(try PluginLibrary(loading: buildFolder + "/libBackplaneCPU.so"), host: .minimal()), index: 0)
  }

  private func softmax() throws -> (graph: Graph, tokens: Symbol) {
    var builder = GraphBuilder()
    let tokens = builder.symbol("tokens", 1...16)
    let x = builder.input("x", .f32, Shape([.symbol(tokens), .fixed(67)]))
    let y = try builder.apply("softmax", [x, nil], [])[0]!
    builder.output(y)
    return (builder.graph, tokens)
  }

  private func run(_ device: Device, _ program: DeviceProgram, _ tokens: Symbol, _ count: Int) throws -> [UInt8] {
    let bytes = count * 67 * 4
    let input = try device.makeBuffer(byteCount: bytes, usage: [.input]), output = try device.makeBuffer(byteCount: bytes, usage: [.output])
    let values: [Float] = (0..<count * 67).map { i in Float(i * 37 % 101) * 0.13 - 5 }
    try values.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws in try input.map(access: [.write]).copyMemory(from: bytes) }
    try input.unmap()
    try program.run([input.binding(), output.binding()], symbols: [tokens: count])
    return Array(try output.map(access: [.read]))
  }

  @Test func aChoiceHoldsInItsRangeOfASymbolOnly() throws {
    let device = try device(), (graph, tokens) = try softmax(), records = try ABIGraph(graph)
    let variants = try device.variants(records, node: 0)
    try #require(variants.count >= 2)
    let scalar = variants.last!.standard
    let own = try device.compile(records), forced = try device.compile(records, choosing: .init([.init(node: 0, scalar)]))
    let mixed = try device.compile(records, choosing: .init([.init(node: 0, scalar, symbol: Int(tokens.number), range: 1...4)]))
    for count in [1, 4, 5, 16] {
      let (a, b, c) = (try run(device, own, tokens, count), try run(device, forced, tokens, count), try run(device, mixed, tokens, count))
      #expect(a != b, "the two kernels differ in bits, or this test sees nothing")
      #expect(c == (count <= 4 ? b : a), "\(count)")
    }
  }

  @Test func illegalChoicesAreRefusedWithTheReason() throws {
    let device = try device(), (graph, _) = try softmax(), records = try ABIGraph(graph)
    let standard = try device.variants(records, node: 0)[0].standard
    var wrong = standard
    wrong.values[1] = 77
    #expect(throws: BackplaneError.self) { try device.check(wrong, records, node: 0) }
    #expect(throws: BackplaneError.self) { try device.compile(records, choosing: .init([.init(node: 0, wrong)])) }
    #expect(throws: BackplaneError.self) { try device.check(Configuration(variant: "no_such", values: []), records, node: 0) }
    #expect { try device.compile(records, choosing: .init([.init(node: 0, standard, symbol: 99, range: 1...4)])) } throws: { "\($0)".contains("symbol 99") }
    #expect { try device.variants(records, node: 0).configuration(try ConfigurationRequest("softmax_scalar:rows=1")) } throws: { "\($0)".contains("no parameter 'rows'") }
    #expect { try device.variants(records, node: 0).configuration(try ConfigurationRequest("softmax_skalar")) } throws: { "\($0)".contains("softmax_scalar") }
  }

  @Test func everyOfferedChoiceOfEveryOperatorComputesAndChecks() throws {
    let device = try device()
    for id in ["softmax/x=f32.5x67", "matmul/a=f32.3x64/b=q4_0.33x64", "rms_norm/x=f32.4x33", "add/a=f32.64/b=f32.64"] {
      let graph = try ABIGraph(try CaseGraph(try CaseID(id)).graph)
      for variant in try device.variants(graph, node: 0) {
        for configuration in TuningSpace(variants: [variant]).configurations(limit: 40) {
          try device.check(configuration, graph, node: 0)
          var runner = CaseRunner(device)
          runner.configuration = variant.request(configuration)
          let result = runner.run(try CaseID(id))
          #expect(result.outcome == .pass, "\(id) \(configuration): \(result.message ?? "")")
        }
      }
    }
  }

  /// The first variant is what runs when nobody chooses: under every class.
  @Test func theFirstVariantIsTheDevicesOwnChoice() throws {
    let device = try device()
    for numerics in Numerics.allCases {
      let graph = try ABIGraph(try CaseGraph(try CaseID("matmul/a=f32.16x64/b=q4_0.33x64"), numerics: numerics).graph)
      let variants = try device.variants(graph, node: 0), own = try device.query(graph)[0]
      if numerics != .fast { #expect(variants.first?.declares.isEmpty == true, "\(numerics): \(variants.map(\.name))") }
      if numerics == .fast, variants.contains(where: { !$0.declares.isEmpty }) { #expect(variants.first?.declares.isEmpty == false) }
      #expect(variants.first?.name == own.detail, "\(numerics)")
    }
  }

  @Test func problemsWithoutAChoiceAreNotedOnce() throws {
    let device = try device(), folder = try TemporaryFolder(), store = try TuningStore([.user: folder.path + "/t.sqlite"])
    let (graph, _) = try softmax(), records = try ABIGraph(graph)
    #expect(StoredChoices(store).choices(for: graph, records, on: device).isEmpty)
    #expect(try store.records(kind: .wanted).isEmpty, "only when it is asked for")
    for _ in 0..<2 { _ = StoredChoices(store, notesWanted: true).choices(for: graph, records, on: device) }
    let wanted = try store.records(kind: .wanted).map(\.record)
    #expect(try wanted.map { try CaseID($0.case!).inputs[0][0].shape }.sorted { $0[0] < $1[0] } == [[1, 67], [16, 67]], "\(wanted)")
    #expect(try wanted.allSatisfy { $0.problem == Problem(try CaseID($0.case!)) })
  }

  @Test func storedChoicesReachTheRuntime() throws {
    let device = try device(), folder = try TemporaryFolder(), store = try TuningStore([.user: folder.path + "/t.sqlite"])
    let (graph, tokens) = try softmax(), records = try ABIGraph(graph)
    let id = CaseID(graph.nodes[0], in: graph, [tokens: 8])!
    let variants = try device.variants(records, node: 0), scalar = variants.last!
    try store.add([JSONRecord(kind: .chosen, problem: Problem(id), device: .init(device), plugin: PluginCode.plugin(device.plugin, scalar),
                              space: String(TuningSpace(variants: variants).hash, radix: 16), configuration: scalar.request(scalar.standard).description)])
    let choices = StoredChoices(store).choices(for: graph, records, on: device)
    #expect(choices.choices.map(\.range) == [5...8] && choices.choices.first?.configuration == scalar.standard)
    // A lock file with it gives the same without a store.
    let source = StoredChoices(store)
    _ = source.choices(for: graph, records, on: device)
    let lock = try TuningLock(text: source.handedOut.joined(separator: "\n"), file: "lock")
    let empty = try TuningStore([.user: folder.path + "/empty.sqlite"])
    #expect(StoredChoices(empty, lock: lock).choices(for: graph, records, on: device).choices.map(\.range) == [5...8])
  }

  @Test func theReportSaysWhatIsChosen() throws {
    let folder = try TemporaryFolder(), store = try TuningStore([.user: folder.path + "/t.sqlite"]), (graph, tokens) = try softmax()
    var options = Runtime.Options()
    (options.pluginPaths, options.searchesForPlugins, options.environment) = ([buildFolder + "/libBackplaneCPU.so"], false, [:])
    let device = try #require(Runtime(options).devices.first { $0.id == "cpu" })
    let variants = try device.variants(try ABIGraph(graph), node: 0), scalar = variants.last!, text = scalar.request(scalar.standard).description
    try store.add([JSONRecord(kind: .chosen, problem: Problem(CaseID(graph.nodes[0], in: graph, [tokens: 8])!), device: .init(device),
                              plugin: PluginCode.plugin(device.plugin, scalar), space: String(TuningSpace(variants: variants).hash, radix: 16), configuration: text)])
    options.tuning = StoredChoices(store)
    let runtime = Runtime(options)
    let report = try runtime.compile(graph, CompileOptions(devices: [try #require(runtime.devices.first { $0.id == "cpu" })])).report
    #expect(report.entries[0].kernel == variants.first?.name && report.entries[0].choices == [text + " at 5...8"], "\(report.entries[0].choices)")
    #expect(report.text.contains("cpu by choice \(text) at 5...8"))
  }
}
