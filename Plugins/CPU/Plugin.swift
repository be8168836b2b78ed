// The CPU plugin.
