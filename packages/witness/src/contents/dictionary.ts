/**
 * What parts begin to be compressed with: members that most documents and causes have, in their order. Part of the
 * format: with another dictionary nothing opens. The parts of one record are too short to be compressed by themselves.
 */
import { utf8 } from '@tallystick/core';

const customer =
  '{"v":1,"type":"customer","ns":"","id":"cus_","rev":0,"crit":[],"reference":"","name":"","email":"","country":null,' +
  '"parent":null,"state":"active","into":null,"metadata":{}}';

const catalog =
  '{"v":1,"type":"plan","ns":"","id":"pln_","rev":0,"crit":[],"product":"prd_","code":"","name":"","kind":"base",' +
  '"state":"active","purpose":"production","term":{"length":"P1Y","grace":"P0D","basis":"issue"},"updates":{"length":null,' +
  '"fallback":false,"maxMajor":null},"seats":{"model":"none","max":null,"over":0,"bind":[],"need":null,"lease":null,' +
  '"borrowMax":null,"rehost":null},"entitlements":{"":{"type":"boolean","name":null},"":{"type":"quota","name":null,' +
  '"unit":null}},"trial":null,"metadata":{},"private":null}';

const cause =
  '{"v":2,"command":"license.issue","n":1,"who":{"kind":"service","id":"prn_","credential":"crd_","session":null,' +
  '"device":null,"address":"127.0.0.1"},"why":null,"request":{"key":"","hash":""},"decision":{"policy":"","schema":"",' +
  '"reasons":["issuer-sells"],"entities":"","input":{"principal":{"id":"prn_","kind":"service","roles":["issuer"]},' +
  '"action":"license.issue","resource":{"type":"License","product":"","state":"active","purpose":"production",' +
  '"own":false},"context":{"zone":"admin","strength":1,"stepUp":false,"signed":false,"reason":false,"approved":false,' +
  '"purpose":null,"networks":[],"device":{"managed":false,"encrypted":false,"attested":false},"weekday":4,"hour":9,' +
  '"lock":"open","epoch":0,"extendsDays":null,"termDays":365,"seats":null,"rolesChanged":[]}}},"approvals":null,' +
  '"signed":null,"at":"2026-11-26T09:21:21.765Z"}' +
  '{"v":2,"command":"license.issue","n":1,"who":{"kind":"service","id":"prn_","credential":"crd_","session":null,' +
  '"device":null,"address":"127.0.0.1"},"why":null,"request":null,"decision":{"same":8},"approvals":null,"signed":null,' +
  '"at":"2026-11-26T09:21:21.765Z"}';

const license =
  '{"v":1,"type":"license","ns":"","id":"lic_","rev":0,"crit":[],"product":{"id":"prd_","code":""},"plan":{"id":"pln_",' +
  '"rev":0,"code":"","name":""},"addons":[],"customer":"cus_","licensee":"","purpose":"production","status":{"state":' +
  '"active","reason":null,"message":null,"since":"2026-11-26T09:21:21.853Z","successor":null},"term":{"from":"2026-11-26T' +
  '09:21:21.853Z","until":"2027-11-26T09:21:21.853Z","grace":"P0D"},"updates":{"until":null,"fallback":null,"maxMajor":' +
  'null},"seats":{"model":"none","max":null,"over":0},"entitlements":{"":{"value":true,"until":null,"via":"plan"},"":{' +
  '"limit":1000,"per":"P1M","over":"block","until":null,"via":"plan"}},"offline":{"maxAge":"P30D","grace":"P7D","clock":' +
  '"tolerant"},"generation":0,"epoch":0,"metadata":{},"private":""}{"key":"TALLY-","order":null,"price":null,"currency":' +
  'null,"reseller":null,"crm":{},"notes":null}';

export const dictionary: Uint8Array = utf8(customer + catalog + cause + license);
