/**
 * Owns the files page: the list, the quota, downloads and deletion. Must never
 * show bytes of a file: they are downloaded, never opened here.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { contentPath, deleteFile, listFiles } from "../calls.ts";
import { size } from "../format.ts";
import { t } from "../language.ts";
import { Confirm } from "../parts/dialog.tsx";
import { Icon, Time } from "../parts/marks.tsx";
import { focusHeading, Page } from "../parts/page.tsx";
import { ListFoot, useListing } from "../parts/pages.tsx";
import { Uploads } from "../parts/uploads.tsx";
import type { StoredFile } from "../types.ts";
import { useValv } from "../valv.ts";

interface Quota {
  readonly used: number;
  readonly limit: number;
}

/** The customer's files. */
export function FilesPage() {
  const { api, uploads } = useValv();
  const [quota, setQuota] = useState<Quota>();
  const [doomed, setDoomed] = useState<StoredFile>();
  const [said, setSaid] = useState("");
  const listing = useListing<StoredFile>(async (token) => {
    const page = await listFiles(api, token);
    setQuota({ used: Number(page.usedBytes ?? 0), limit: Number(page.quotaBytes ?? 0) });
    return { items: page.files ?? [], next: page.nextPageToken ?? "" };
  });
  const stored = uploads.stored.value;
  const read = useRef(stored);
  useEffect(() => {
    if (read.current !== stored) listing.reload();
    read.current = stored;
  }, [stored]);
  const remove = async (file: StoredFile) => {
    await deleteFile(api, file.fileId);
    listing.change((items) => items.filter((other) => other.fileId !== file.fileId));
    setSaid(t("files.deleted", { name: file.displayName }));
    listing.reload();
  };
  return (
    <Page title={t("nav.files")} lead={t("files.lead")}>
      <Uploads />
      {quota && quota.limit > 0 && <QuotaBar quota={quota} />}
      <p class="visually-hidden" role="status">
        {said}
      </p>
      {listing.items.length > 0 && (
        <ul class="list" aria-label={t("files.list")}>
          {listing.items.map((file) => (
            <FileRow key={file.fileId} file={file} onDelete={() => setDoomed(file)} />
          ))}
        </ul>
      )}
      {listing.empty && <p class="empty">{t("files.empty")}</p>}
      <ListFoot listing={listing} />
      {doomed && (
        <Confirm
          title={t("files.deleteTitle", { name: doomed.displayName })}
          verb={t("files.deleteVerb")}
          onConfirm={() => remove(doomed)}
          onClose={(done) => {
            setDoomed(undefined);
            if (done) focusHeading();
          }}
        >
          <p>{t("files.deleteText")}</p>
        </Confirm>
      )}
    </Page>
  );
}

function FileRow({ file, onDelete }: { readonly file: StoredFile; readonly onDelete: () => void }) {
  const { api } = useValv();
  return (
    <li class="item" data-testid="file">
      <Icon name="file" />
      <div class="item__main">
        <bdi class="item__title">{file.displayName}</bdi>
        <span class="item__sub">
          {size(file.size)} · <Time at={file.createTime} />
        </span>
      </div>
      <div class="item__actions">
        <a
          class="button button--small"
          href={contentPath(file.fileId)}
          download={file.displayName}
          aria-label={t("files.downloadName", { name: file.displayName })}
          onClick={() => api.touched()}
        >
          {t("files.download")}
        </a>
        <button
          type="button"
          class="button button--small button--quiet"
          aria-label={t("files.deleteName", { name: file.displayName })}
          onClick={onDelete}
        >
          {t("files.delete")}
        </button>
      </div>
    </li>
  );
}

function QuotaBar({ quota }: { readonly quota: Quota }) {
  const text = t("files.quota", { used: size(quota.used), limit: size(quota.limit) });
  const part = Math.min(100, (quota.used / quota.limit) * 100);
  return (
    <div class="quota">
      <div
        class="bar"
        role="meter"
        aria-label={t("files.quotaLabel")}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(part)}
        aria-valuetext={text}
      >
        <div class="bar__fill" style={{ width: `${part}%` }} />
      </div>
      <p class="small quiet" aria-hidden="true">
        {text}
      </p>
    </div>
  );
}
