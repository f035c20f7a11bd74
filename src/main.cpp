#include "gotunnel/app/commands.hpp"

int main(int argc, char** argv) { return gotunnel::app::run(argc, argv); }
