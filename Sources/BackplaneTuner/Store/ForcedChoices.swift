public import BackplaneCore
public import BackplaneRegistry
public import BackplaneRuntime

/// Gives a runtime the variants that a person asks for, by operator; a node that does not take its variant is left to the device.
public final class ForcedChoices: TuningSource {
  private let requests: [String: ConfigurationRequest]

  public init(_ requests: [String: ConfigurationRequest]) { self.requests = requests }

  public func choices(for graph: Graph, _ records: ABIGraph, on device: Device) -> ChosenConfigurations {
    guard device.info.groups.contains(.tuning) else { return ChosenConfigurations() }
    return ChosenConfigurations(graph.nodes.enumerated().compactMap { index, node in
      guard let request = requests[node.op], let configuration = try? device.variants(records, node: index).configuration(request),
            (try? device.check(configuration, records, node: index)) != nil else { return nil }
      return .init(node: index, configuration)
    })
  }
}
