import Backplane
import BackplaneConformance
import BackplaneTuner

/// `bench --op` and `bench --case`: times of single operators on a device, of the device's own choice and, with `--variant`, of another beside it.
enum OperatorBench {
  static func run(_ arguments: Arguments) throws -> ExitCode {
    let requests = try SharedOptions.variants(arguments)
    var ids = arguments.all("case")
    for op in try ConformVerbs.operators(arguments) + (ids.isEmpty ? requests.keys.sorted() : []) where !ids.contains(where: { $0.hasPrefix(op + "/") }) {
      guard let typical = ModelCases.typical[op] else { throw UsageError("there is no usual case of \(op): give --case, as `conform --list` prints them") }
      ids += typical
    }
    var rows: [[String: Any]] = []
    for device in try TuneVerbs.devices(arguments) {
      if device.plugin.isDebugBuild { Terminal.writeError("backplane: \(device.plugin.name) is a debug build: its times mean nothing\n") }
      let executor = TuneExecutor(device)
      for id in ids {
        let parsed = try CaseID(id), graph = try ABIGraph(try CaseGraph(parsed).graph)
        let space = TuningSpace(variants: try device.variants(graph, node: 0))
        guard let standard = space.standard else { print("\(device.id) \(id): \(try device.query(graph)[0])"); continue }
        let others = try requests[parsed.op].map { [try space.variants.configuration($0)] } ?? []
        let sampler = DeviceSampler(executor, space, case: id, judgedBy: [])
        Terminal.progress("\(device.id) \(id)")
        let result = try Race().run(control: standard, others, sampler: sampler, stopAt: 16)
        Terminal.progress("")
        for standing in result.standings {
          guard !standing.failed, !standing.samples.isEmpty else {
            throw BackplaneError(.invalid, "\(space.request(standing.configuration)) cannot be timed: \(sampler.rejections[standing.configuration]?.message ?? "")", subject: device.id)
          }
          let interval = Statistics.medianInterval(standing.samples)
          rows.append(["device": device.id, "case": id, "configuration": space.request(standing.configuration).description, "us": standing.median, "us_low": interval.lowerBound,
                       "us_high": interval.upperBound, "ratio": standing.ratio, "ratio_low": standing.interval.lowerBound, "ratio_high": standing.interval.upperBound])
          if !arguments.has("json") {
            print("\(device.id) \(id)\n  \(padLeft(Terminal.rounded(standing.median, 2), 10)) µs (\(Terminal.rounded(interval.lowerBound, 2)) … \(Terminal.rounded(interval.upperBound, 2)))  "
              + (standing.configuration == standard ? "" : "\(Terminal.rounded(1 / standing.ratio, 2))× the default (\(Terminal.rounded(1 / standing.interval.upperBound, 2)) … \(Terminal.rounded(1 / standing.interval.lowerBound, 2)))  ")
              + space.request(standing.configuration).description)
          }
        }
      }
    }
    if arguments.has("json") { print(try Terminal.json(["results": rows])) }
    return .success
  }
}
