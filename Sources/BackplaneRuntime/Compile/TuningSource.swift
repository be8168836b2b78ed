public import BackplaneCore
public import BackplaneRegistry

/// Where a runtime asks which variants and parameters to compile nodes with. It measures nothing and may be asked on any thread.
public protocol TuningSource: Sendable {
  /// - Parameters:
  ///   - graph: What a device is about to compile.
  ///   - records: The same graph as the ABI takes it.
  /// - Returns: Choices for some of its nodes; the device chooses for the rest.
  func choices(for graph: Graph, _ records: ABIGraph, on device: Device) -> ChosenConfigurations
}
