#define BOOST_TEST_MODULE gotunnel
#include <boost/test/unit_test.hpp>
