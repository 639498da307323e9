# Sends mails with Action Mailer, with the interceptor of the recipe: cases in, results out.
# Argument: the file of the recipe.

require "action_mailer"
require "json"
require "logger"
require "stringio"
require ARGV.fetch(0)

ActionMailer::Base.delivery_method = :test

class Newsletter < ActionMailer::Base
  def issue(recipients)
    mail(from: "me@example.com", subject: "x", body: "x", **recipients)
  end
end

def result(given)
  options = { url: given["url"], token: given["token"], timeout: given["seconds"] }
  options[:on_error] = given["on_error"] if given["on_error"]
  ActionMailer::Base.register_interceptor(interceptor = DropRefusedRecipients.new(**options))
  ActionMailer::Base.deliveries.clear
  Newsletter.issue(given.slice("to", "cc", "bcc").compact.reject { |_, all| all.empty? }.symbolize_keys).deliver_now
  sent = ActionMailer::Base.deliveries.fetch(0)
  texts = %w[to cc bcc].to_h { |name| [name, sent[name] ? sent[name].addrs.map(&:format) : []] }
  texts.merge(envelope: sent.smtp_envelope_to)
rescue StandardError => error
  { error: error.class.name.demodulize, refused: error.try(:refused) }
ensure
  ActionMailer::Base.unregister_interceptor(interceptor)
end

results = JSON.parse($stdin.read).map do |given|
  log = StringIO.new
  ActionMailer::Base.logger = Logger.new(log, level: :error, formatter: ->(*, text) { "#{text}\n" })
  result(given).merge(log: log.string.lines(chomp: true))
end
puts results.to_json
