/** Templates that come with the command, by name. Each is an example of what templates can do. */
export const SHIPPED_TEMPLATES: Readonly<Record<string, string>> = {
  'apache-log': `{{internet.ip}} - - [{{date.now("DD/MMM/YYYY:HH:mm:ss ZZ")}}]
 "{{random.weightedArrayElement({"weights":[0.8,0.15,0.05],"data":["GET","POST","PUT"]})}}
 /{{hacker.noun}}/{{random.number(9999)}} HTTP/1.1"
 {{random.weightedArrayElement({"weights":[0.9,0.04,0.04,0.02],"data":[200,304,404,500]})}}
 {{random.number({"min":120,"max":48000})}} "-" "{{internet.userAgent}}"`,

  'json-orders': `{"order_id":"{{random.uuid}}","ordered_at":"{{date.utc("YYYY-MM-DDTHH:mm:ss.SSS[Z]")}}",
"customer":{"name":"{{name.firstName}} {{name.lastName}}","country":"{{address.countryCode}}"},
"product":"{{commerce.productName}}","quantity":{{random.number({"min":1,"max":5})}},
"price":{{commerce.price}},"currency":"EUR",
"status":"{{random.weightedArrayElement({"weights":[0.85,0.1,0.05],"data":["paid","open","refused"]})}}"}`,

  'json-clicks': `{"session":"{{random.alphaNumeric(12)}}","at":{{date.utc("x")}},
"page":"/{{random.arrayElement(["home","search","product","basket","checkout"])}}",
"ip":"{{internet.ip}}","mobile":{{random.boolean}},"ms":{{random.number({"min":3,"max":900})}}}`,

  'json-sensors': `{"sensor":{{random.number(50)}},"at":"{{date.utc}}",
"celsius":{{random.number({"min":-10,"max":45,"precision":0.1})}},
"status":"{{random.weightedArrayElement({"weights":[0.95,0.04,0.01],"data":["OK","WARN","FAIL"]})}}"}`,

  'csv-payments': `{{random.uuid}},{{date.utc}},{{finance.amount}},{{finance.currencyCode}},
{{finance.transactionType}},{{finance.account}}`,

  syslog: `<{{random.number({"min":0,"max":191})}}>1 {{date.utc("YYYY-MM-DDTHH:mm:ss.SSS[Z]")}}
 {{internet.domainWord}} {{random.arrayElement(["cron","nginx","sshd","kernel"])}} {{random.number(32768)}} - - {{hacker.phrase}}`,
}
