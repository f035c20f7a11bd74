#include "gotunnel/link/cert_store.hpp"
#include <fstream>
#include <sstream>
namespace gotunnel::link {
static std::string rd(const std::filesystem::path&p){std::ifstream f(p);std::stringstream s;s<<f.rdbuf();return s.str();}
static void wr(const std::filesystem::path&p,std::string_view t){std::ofstream f(p);f<<t;}
cert_store::cert_store(std::filesystem::path d,const cert_policy&p):directory_(std::move(d)),policy_(p){}
cert_store cert_store::open(const std::filesystem::path& d, wall_time now,const cert_policy&p){
 cert_store s(d,p); std::filesystem::create_directories(d);
 if(!std::filesystem::exists(d/"ca.crt")){auto a=crypto::make_authority(now);auto l=crypto::issue_server(*a,now,p.leaf_lifetime);
  wr(d/"ca.crt",a->certificate);wr(d/"ca.key",a->key.reveal());wr(d/"server.crt",l->certificate);wr(d/"server.key",l->key.reveal());s.created_=true;}
 s.authority_=rd(d/"ca.crt");s.server_.certificate=rd(d/"server.crt");s.server_.key=secret_text(rd(d/"server.key"));
 s.server_facts_=*crypto::read_certificate(s.server_.certificate);s.authority_facts_=*crypto::read_certificate(s.authority_);s.renewable_=true;return s;}
bool cert_store::due(wall_time) const noexcept{return false;}
void cert_store::renew(wall_time){}
bool cert_store::reload(){return false;}
}
