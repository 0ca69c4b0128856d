import { sql } from 'kysely'
import type { Db } from '../database/database.ts'
import { newId } from '../id.ts'

/** A report that the provider announced. */
type AnnouncedReport = { notificationId: string; fileName: string; url: string }

/** What was announced lately and not noted yet; signed, and for this merchant account. */
export async function findAnnouncedReports(
  db: Db,
  names: string,
  limit: number
): Promise<AnnouncedReport[]> {
  const { rows } = await sql<AnnouncedReport>`
    select n.id as "notificationId", n.psp_reference as "fileName",
      coalesce(n.item->>'reason', '') as url
    from notification n
    where n.event_code = 'REPORT_AVAILABLE' and n.success and n.status <> 'foreign'
      and n.psp_reference ~ ${names}
      and n.received_at > now() - interval '40 days'
      and not exists (
        select from settlement_report r where r.origin = 'provider'
          and r.file_name = n.psp_reference and r.notification_id >= n.id)
    order by n.id limit ${limit}`.execute(db)
  return rows
}

/**
 * Notes a report that was announced: to be fetched, or to be uploaded by a person where `fault`
 * says why. One that was announced before is fetched again only where it was not had.
 */
export async function saveAnnouncedReport(
  db: Db,
  announced: AnnouncedReport,
  address: string | null,
  fault: string | null
): Promise<void> {
  const status = fault === null ? 'received' : 'awaitingUpload'
  await sql`
    insert into settlement_report
      (id, status, origin, file_name, url, notification_id, fault, next_attempt_at)
    values (${newId('set')}, ${status}, 'provider', ${announced.fileName}, ${address},
      ${announced.notificationId}, ${fault}, ${fault === null ? sql`now()` : null})
    on conflict (file_name) where origin = 'provider' do update set
      notification_id = excluded.notification_id, url = excluded.url, attempts = 0,
      status = case when settlement_report.status in ('awaitingUpload', 'refused')
        then excluded.status else settlement_report.status end,
      fault = case when settlement_report.status in ('awaitingUpload', 'refused')
        then excluded.fault else settlement_report.fault end,
      finished_at = case when settlement_report.status = 'refused' then null
        else settlement_report.finished_at end,
      content_hash = case when settlement_report.status = 'refused' then null
        else settlement_report.content_hash end,
      next_attempt_at = case when settlement_report.status in ('awaitingUpload', 'refused')
        then excluded.next_attempt_at else settlement_report.next_attempt_at end`.execute(db)
}
