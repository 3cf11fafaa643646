/** PBXs, their documents, their agents. */
import { z } from 'zod'
import {
  AgentHello,
  AgentReceipt,
  AgentRecords,
  AgentWelcome,
  NewAgentToken,
} from '#contracts/agent.ts'
import { pageOf, pageQuery } from '#contracts/page.ts'
import { PbxDocument } from '#contracts/pbx.ts'
import { route, serviceParams } from '#contracts/route.ts'
import { Service, ServiceChange, ServiceDraft, ShownService } from '#contracts/service.ts'
import { TestCall } from '#contracts/test-call.ts'

export const servicesRoutes = {
  createService: route({
    method: 'POST',
    path: '/api/v1/services',
    tag: 'Services',
    summary: 'Create a service: one PBX of your account.',
    body: ServiceDraft,
    status: 201,
    answer: ShownService,
    idempotent: true,
    versionOf: Service,
    problems: ['name_taken'],
  }),

  listServices: route({
    method: 'GET',
    path: '/api/v1/services',
    tag: 'Services',
    summary: 'List your services with their UUIDs.',
    query: z.strictObject({ ...pageQuery }),
    answer: pageOf(ShownService),
    problems: ['invalid_cursor'],
  }),

  getService: route({
    method: 'GET',
    path: '/api/v1/services/:uuid',
    tag: 'Services',
    summary: 'Read a service, and how its PBX is doing.',
    params: serviceParams,
    answer: ShownService,
    versionOf: Service,
    problems: ['not_found'],
  }),

  changeService: route({
    method: 'PATCH',
    path: '/api/v1/services/:uuid',
    tag: 'Services',
    summary: 'Change a service, for example its Applications switch.',
    params: serviceParams,
    body: ServiceChange,
    answer: ShownService,
    versionOf: Service,
    problems: ['not_found', 'name_taken', 'precondition_failed'],
  }),

  deleteService: route({
    method: 'DELETE',
    path: '/api/v1/services/:uuid',
    tag: 'Services',
    summary:
      'Delete a service, its PBX document and the webhooks that belong to it alone. A managed PBX is stopped, which ends its calls, and its voicemail and recordings are removed. user.deleted tells webhooks of the account of the users that it had.',
    params: serviceParams,
    status: 204,
    versionOf: Service,
    problems: ['not_found', 'precondition_failed'],
  }),

  getPbxDocument: route({
    method: 'GET',
    path: '/api/v1/services/:uuid/pbx',
    tag: 'Services',
    summary: 'Read the PBX document: users, numbers, IVRs, queues and all else of a managed PBX.',
    params: serviceParams,
    answer: PbxDocument,
    versionOf: PbxDocument,
    problems: ['not_found'],
  }),

  putPbxDocument: route({
    method: 'PUT',
    path: '/api/v1/services/:uuid/pbx',
    tag: 'Services',
    summary:
      'Replace the PBX document of a managed PBX. Users that differ are told as user.created, user.modified and user.deleted: to webhooks of the account whatever the Applications switch says, to those of the service while it is on. The status of the service tells when it is applied, or why not.',
    params: serviceParams,
    body: PbxDocument,
    // Five thousand users with all that they can have.
    bodyBytes: 8 * 1024 * 1024,
    answer: PbxDocument,
    versionOf: PbxDocument,
    problems: ['not_found', 'not_managed', 'precondition_failed'],
  }),

  placeTestCall: route({
    method: 'POST',
    path: '/api/v1/services/:uuid/test-calls',
    tag: 'Services',
    summary: 'Place a real call on the demo PBX. The reply comes when the call is on its way.',
    params: serviceParams,
    body: TestCall,
    status: 202,
    answer: TestCall,
    problems: ['not_found', 'no_test_calls'],
  }),

  createAgentToken: route({
    method: 'POST',
    path: '/api/v1/services/:uuid/agent-token',
    tag: 'Agents',
    summary: 'Make the token of the agent of a PBX on another machine. The one before is void.',
    params: serviceParams,
    status: 201,
    answer: NewAgentToken,
    problems: ['not_found', 'no_agent'],
  }),

  connectAgent: route({
    method: 'POST',
    path: '/api/v1/agent/connect',
    tag: 'Agents',
    summary: 'For offhook agent: from where the record of its PBX is to be shipped.',
    guard: 'agent_token',
    body: AgentHello,
    answer: AgentWelcome,
    problems: ['agent_elsewhere'],
  }),

  shipRecords: route({
    method: 'POST',
    path: '/api/v1/agent/records',
    tag: 'Agents',
    summary: 'For offhook agent: rows of the record. The reply comes when they are committed.',
    guard: 'agent_token',
    body: AgentRecords,
    // A quarter of a MiB of the record, as JSON; a single row may have as much.
    bodyBytes: 8 * 1024 * 1024,
    answer: AgentReceipt,
    problems: ['agent_behind', 'agent_replaced', 'agent_elsewhere', 'not_committed'],
  }),
} as const
