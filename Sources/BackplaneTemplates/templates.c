#include "backplane_templates.h"

static const char plugin_header[] = {
#embed "../BackplaneABI/include/backplane_plugin.h"
    , 0};
static const char operators_header[] = {
#embed "../BackplaneABI/include/backplane_operators.h"
    , 0};
static const char c_source[] = {
#embed "../../Plugins/Template/template.c"
    , 0};
static const char c_makefile[] = {
#embed "../../Plugins/Template/Makefile"
    , 0};
static const char c_readme[] = {
#embed "../../Plugins/Template/README.md"
    , 0};
static const char swift_source[] = {
#embed "../../Plugins/TemplateSwift/template.swift"
    , 0};
static const char swift_makefile[] = {
#embed "../../Plugins/TemplateSwift/Makefile"
    , 0};
static const char swift_readme[] = {
#embed "../../Plugins/TemplateSwift/README.md"
    , 0};
static const char swift_note[] = {
#embed "../../Plugins/TemplateSwift/note.c"
    , 0};
static const char swift_modulemap[] = {
#embed "../../Plugins/TemplateSwift/include/module.modulemap"
    , 0};
static const char exports[] = {
#embed "../../Plugins/exports.map"
    , 0};

static const bp_template_file c_files[] = {
    {"template.c", c_source},
    {"Makefile", c_makefile},
    {"README.md", c_readme},
    {"include/backplane_plugin.h", plugin_header},
    {"include/backplane_operators.h", operators_header},
};
static const bp_template_file swift_files[] = {
    {"template.swift", swift_source},
    {"note.c", swift_note},
    {"exports.map", exports},
    {"Makefile", swift_makefile},
    {"README.md", swift_readme},
    {"include/backplane_plugin.h", plugin_header},
    {"include/backplane_operators.h", operators_header},
    {"include/module.modulemap", swift_modulemap},
};

const bp_template_file *bp_template_c(size_t *count) {
  *count = sizeof c_files / sizeof *c_files;
  return c_files;
}
const bp_template_file *bp_template_swift(size_t *count) {
  *count = sizeof swift_files / sizeof *swift_files;
  return swift_files;
}
