# Answers every line on standard input with who it is to AWS STS, as JSON: a
# service with one client for up to eight calls at a time, whose credentials the
# SDK finds.
require "aws-sdk-core"
require "json"

client = Aws::STS::Client.new(endpoint: ENV.fetch("AWS_ENDPOINT_URL_STS")) # read by itself in later versions

answer = lambda do
  reply = client.get_caller_identity
  { Arn: reply.arn, Account: reply.account, Region: client.config.region }
rescue StandardError => e
  { Error: "#{e.class}: #{e.message}" }
end

asked = Queue.new
output = Mutex.new
threads = Array.new(8) do
  Thread.new do
    while asked.pop
      said = answer.call.merge(Version: Aws::CORE_GEM_VERSION)
      output.synchronize { puts said.to_json; $stdout.flush }
    end
  end
end
$stdin.each_line { asked << true }
asked.close
threads.each(&:join)
