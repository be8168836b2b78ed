import BackplaneRegistry

// Tries one plugin and prints one line of JSON: see ProbeChild.
ProbeChild.main(CommandLine.arguments)
