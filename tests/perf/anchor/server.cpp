// A C++ gRPC server with nothing in it: a constant answer to Authenticate, one completion queue, one thread.
// `server CONTENT [CERTIFICATE KEY]`: the answer in hex, and files of PEM for TLS. Prints its port.

#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include <grpcpp/grpcpp.h>

#include "clients/v1/clients.grpc.pb.h"

namespace {

using Service = clients::v1::ClientsService::WithRawMethod_Authenticate<clients::v1::ClientsService::Service>;

// One call after another: asked for, answered, asked for again by a new one.
class Call {
 public:
  Call(Service& service, grpc::ServerCompletionQueue& queue, const grpc::ByteBuffer& content)
      : service_(service), queue_(queue), content_(content), responder_(&context_) {
    service_.RequestAuthenticate(&context_, &request_, &responder_, &queue_, &queue_, this);
  }

  void Proceed(bool ok) {
    if (answered_ || !ok) {
      delete this;
      return;
    }
    new Call(service_, queue_, content_);
    answered_ = true;
    responder_.Finish(content_, grpc::Status::OK, this);
  }

 private:
  Service& service_;
  grpc::ServerCompletionQueue& queue_;
  const grpc::ByteBuffer& content_;
  grpc::ServerContext context_;
  grpc::ByteBuffer request_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> responder_;
  bool answered_ = false;
};

constexpr int kWaiting = 256;  // calls that are asked for at a time

grpc::ByteBuffer FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t place = 0; place < hex.size(); place += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(place, 2), nullptr, 16)));
  }
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string Read(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::shared_ptr<grpc::ServerCredentials> Credentials(int count, char** arguments) {
  if (count < 4) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({Read(arguments[3]), Read(arguments[2])});
  return grpc::SslServerCredentials(options);
}

}  // namespace

int main(int count, char** arguments) {
  const grpc::ByteBuffer content = FromHex(arguments[1]);
  Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", Credentials(count, arguments), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  for (int number = 0; number < kWaiting; ++number) new Call(service, *queue, content);
  std::cout << port << std::endl;
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<Call*>(tag)->Proceed(ok);
}
