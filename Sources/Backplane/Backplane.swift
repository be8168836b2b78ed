// What an application needs, under one name: graphs and formats, the operator catalogue, devices, compiling and running.
@_exported import BackplaneCore
@_exported import BackplanePlanner
@_exported import BackplaneRegistry
@_exported import BackplaneRuntime
@_exported import BackplaneSpecs
